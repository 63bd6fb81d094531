//! `spin:postgres@4.2.0` over sqlx.
//!
//! What goes where: integers, floats, `text` and its relatives, `bytea`, `uuid`, `numeric` and
//! ranges as the interface names them; `json` as `jsonb`; enums, domains and `citext` as what they
//! are made of; `timestamptz` as a `datetime` in UTC; arrays of other types as `array-str`.
//! A parameter is encoded as the type that the statement wants, so text may stand for a `uuid`,
//! a `numeric`, a `date` or (RFC 3339) a `timestamptz`.

mod address;
mod bindings;
mod builder;
mod decode;
mod encode;
mod error;
mod kind;
mod limits;
mod numeric;
mod options;
mod pool;
mod range;
mod running;
mod session;
mod share;
mod statement;

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};

use praxis_wasi::State;
use tokio::sync::mpsc;
use wasmtime::StoreContextMut;
use wasmtime::component::{
    Accessor, Destination, FutureReader, HasData, Linker, Resource, ResourceTable, StreamProducer,
    StreamReader, StreamResult, VecBuffer,
};

use self::pool::Pool;
use self::share::Share;
use crate::capabilities::Capability;
use crate::capabilities::outbound::{Grants, Outbound};
use crate::manifest::Component;

pub use self::bindings::{
    Column, DbDataType, DbError, DbValue, Interval, ParameterValue, RangeBoundKind,
};
pub use self::builder::Builder;
pub use self::error::Error;
pub use self::limits::Limits;
pub use self::session::{Answer, BATCH_ROWS_MAX, Batch, Row, Rows, Session};

/// The capability: pools for the process, grants for each component.
pub struct Postgres {
    outbound: Arc<Outbound>,
    pools: Arc<Pools>,
}

impl Postgres {
    pub fn new(outbound: Arc<Outbound>) -> Self {
        Self {
            outbound,
            pools: Arc::default(),
        }
    }
}

impl Capability for Postgres {
    fn interfaces(&self) -> &'static [&'static str] {
        &["spin:postgres/postgres"]
    }

    fn is_granted(&self, component: &Component) -> bool {
        self.outbound.of(component).grants_any("postgres")
    }

    fn link(&self, linker: &mut Linker<State>) -> wasmtime::Result<()> {
        bindings::add_to_linker::<State, Link>(linker, |state| {
            let (instance, table) = state.part::<Instance>();
            View { instance, table }
        })
    }

    fn attach(&self, component: &Component, state: &mut State) {
        state.attach(Instance {
            component: component.id.clone(),
            limits: Limits::of(component),
            grants: self.outbound.of(component),
            pools: Arc::clone(&self.pools),
            last: None,
        });
    }
}

/// One pool for each address and certificate, made when it is first asked for and shared by the
/// components that know it. Each component's shares are listed; the one asked for last is at the
/// end.
#[derive(Default)]
pub struct Pools(Mutex<HashMap<String, OfComponent>>);

/// The databases that one component uses.
type OfComponent = Vec<(Server, Arc<Share>)>;

/// An address and, perhaps, the certificate of its authority.
type Server = (String, Option<String>);

impl Pools {
    /// A guest's connection. Nothing is sent before its first statement. A share that no instance
    /// uses makes room where its component has too many.
    pub fn open(
        &self,
        component: &str,
        limits: Limits,
        address: &str,
        ca_root: Option<&str>,
    ) -> Result<Session, Error> {
        let mut components = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_asked = |((known, root), _): &&(Server, Arc<Share>)| {
            known == address && root.as_deref() == ca_root
        };
        let known = components.values().flatten().find(is_asked);
        let known = known.map(|(_, share)| Arc::clone(&share.pool));
        let own = components.entry(component.to_owned()).or_default();
        if let Some(place) = own.iter().position(|entry| is_asked(&entry)) {
            own[place..].rotate_left(1);
        } else {
            let pool = match known {
                Some(pool) => pool,
                None => Arc::new(Pool::new(address, ca_root)?),
            };
            if own.len() >= limits.databases_max {
                let idle = own
                    .iter()
                    .position(|(_, share)| Arc::strong_count(share) == 1);
                own.remove(idle.ok_or_else(|| {
                    Error::Connection(format!(
                        "the component uses {} different addresses, as many as it may",
                        limits.databases_max
                    ))
                })?);
            }
            let server = (address.to_owned(), ca_root.map(str::to_owned));
            own.push((server, Arc::new(Share::new(pool, limits))));
        }
        let (_, share) = own.last().expect("the one asked for is at the end");
        Ok(Session::new(Arc::clone(share)))
    }
}

/// One instance's part.
struct Instance {
    component: String,
    limits: Limits,
    grants: Arc<Grants>,
    pools: Arc<Pools>,
    /// What was opened last: most components know one database.
    last: Option<(Server, Session)>,
}

impl Instance {
    /// What was allowed once is not looked at again: grants are read when the host starts.
    fn reopen(&mut self, address: &str, ca_root: Option<&str>) -> Result<Session, Error> {
        if let Some(((known, root), session)) = &self.last
            && known == address
            && root.as_deref() == ca_root
        {
            return Ok(session.another());
        }
        let session = self.open(address, ca_root)?;
        let server = (address.to_owned(), ca_root.map(str::to_owned));
        self.last = Some((server, session.another()));
        Ok(session)
    }

    fn open(&self, address: &str, ca_root: Option<&str>) -> Result<Session, Error> {
        let address = address::url(address)?;
        self.grants
            .allow("postgres", &address)
            .map_err(|refused| Error::Connection(refused.to_string()))?;
        self.pools
            .open(&self.component, self.limits, &address, ca_root)
    }
}

struct View<'a> {
    instance: &'a mut Instance,
    table: &'a mut ResourceTable,
}

struct Link;

impl HasData for Link {
    type Data<'a> = View<'a>;
}

impl View<'_> {
    fn open(&mut self, address: &str, ca_root: Option<&str>) -> Result<Resource<Session>, Error> {
        let session = self.instance.reopen(address, ca_root)?;
        self.table.push(session).map_err(trap)
    }

    fn build(&mut self, builder: &Resource<Builder>) -> Result<Resource<Session>, Error> {
        let builder = self.table.get(builder).map_err(trap)?;
        let session = self
            .instance
            .reopen(builder.address()?, builder.ca_root())?;
        self.table.push(session).map_err(trap)
    }

    fn session(&self, connection: &Resource<Session>) -> Result<Session, Error> {
        self.table.get(connection).cloned().map_err(trap)
    }
}

fn trap(error: impl Into<wasmtime::Error>) -> Error {
    Error::Trap(error.into())
}

impl bindings::Host for View<'_> {
    fn convert_error(&mut self, error: Error) -> wasmtime::Result<bindings::Error> {
        if let Error::Connection(reason) = &error {
            tracing::warn!(reason, "no connection to the database");
        }
        error.into_wit()
    }
}

impl bindings::HostConnectionBuilder for View<'_> {
    async fn new(&mut self, address: String) -> wasmtime::Result<Resource<Builder>> {
        Ok(self.table.push(Builder::new(address))?)
    }

    async fn set_ca_root(
        &mut self,
        builder: Resource<Builder>,
        certificate: String,
    ) -> Result<(), Error> {
        let builder = self.table.get_mut(&builder).map_err(trap)?;
        builder.set_ca_root(certificate)
    }

    async fn build(&mut self, builder: Resource<Builder>) -> Result<Resource<Session>, Error> {
        View::build(self, &builder)
    }

    async fn drop(&mut self, builder: Resource<Builder>) -> wasmtime::Result<()> {
        self.table.delete(builder)?;
        Ok(())
    }
}

impl<T: Send + 'static> bindings::HostConnectionBuilderWithStore<T> for Link {
    async fn build_async(
        accessor: &Accessor<T, Self>,
        builder: Resource<Builder>,
    ) -> Result<Resource<Session>, Error> {
        accessor.with(|mut access| access.get().build(&builder))
    }
}

impl bindings::HostConnection for View<'_> {
    async fn open(&mut self, address: String) -> Result<Resource<Session>, Error> {
        View::open(self, &address, None)
    }

    async fn query(
        &mut self,
        connection: Resource<Session>,
        statement: String,
        params: Vec<ParameterValue>,
    ) -> Result<bindings::RowSet, Error> {
        let session = self.session(&connection)?;
        let (columns, rows) = session.query_all(&statement, &params).await?;
        Ok(bindings::RowSet { columns, rows })
    }

    async fn execute(
        &mut self,
        connection: Resource<Session>,
        statement: String,
        params: Vec<ParameterValue>,
    ) -> Result<u64, Error> {
        let session = self.session(&connection)?;
        session.execute(&statement, &params).await
    }

    async fn drop(&mut self, connection: Resource<Session>) -> wasmtime::Result<()> {
        self.table.delete(connection)?;
        Ok(())
    }
}

impl<T: Send + 'static> bindings::HostConnectionWithStore<T> for Link {
    async fn open_async(
        accessor: &Accessor<T, Self>,
        address: String,
    ) -> Result<Resource<Session>, Error> {
        accessor.with(|mut access| access.get().open(&address, None))
    }

    async fn query_async(
        accessor: &Accessor<T, Self>,
        connection: Resource<Session>,
        statement: String,
        params: Vec<ParameterValue>,
    ) -> Result<
        (
            Vec<Column>,
            StreamReader<Row>,
            FutureReader<Result<(), bindings::Error>>,
        ),
        Error,
    > {
        let session = accessor.with(|mut access| access.get().session(&connection))?;
        let answer = session.query(&statement, &params).await?;
        let (rows, end) = accessor
            .with(|mut access| match answer.rows {
                Rows::All(rows) => Ok((
                    StreamReader::new(&mut access, rows)?,
                    FutureReader::new(&mut access, async { wasmtime::error::Ok(Ok(())) })?,
                )),
                Rows::First { first, rest, end } => Ok((
                    StreamReader::new(&mut access, Producer { first, rest })?,
                    FutureReader::new(&mut access, async move {
                        match end.await {
                            Ok(Ok(())) => wasmtime::error::Ok(Ok(())),
                            Ok(Err(error)) => Ok(Err(error.into_wit()?)),
                            Err(_) => Ok(Err(session::interrupted().into_wit()?)),
                        }
                    })?,
                )),
            })
            .map_err(Error::Trap)?;
        Ok((answer.columns, rows, end))
    }

    async fn execute_async(
        accessor: &Accessor<T, Self>,
        connection: Resource<Session>,
        statement: String,
        params: Vec<ParameterValue>,
    ) -> Result<u64, Error> {
        let session = accessor.with(|mut access| access.get().session(&connection))?;
        session.execute(&statement, &params).await
    }
}

/// The rows of a long result, a batch at a time.
struct Producer {
    first: Batch,
    rest: mpsc::Receiver<Batch>,
}

impl<D> StreamProducer<D> for Producer {
    type Item = Row;
    type Buffer = VecBuffer<Row>;

    fn poll_produce<'a>(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        _: StoreContextMut<'a, D>,
        mut destination: Destination<'a, Row, VecBuffer<Row>>,
        finish: bool,
    ) -> Poll<wasmtime::Result<StreamResult>> {
        let mut rows = std::mem::take(&mut self.first.rows);
        if rows.is_empty() {
            let batch = self.rest.poll_recv(cx);
            if batch.is_pending() && finish {
                return Poll::Ready(Ok(StreamResult::Cancelled));
            }
            match ready!(batch) {
                Some(batch) => rows = batch.rows,
                None => return Poll::Ready(Ok(StreamResult::Dropped)),
            }
        }
        destination.set_buffer(rows.into());
        Poll::Ready(Ok(StreamResult::Completed))
    }
}
