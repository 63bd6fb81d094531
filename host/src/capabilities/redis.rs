//! `spin:redis@3.0.0` over the redis crate: one multiplexed connection of each component to each
//! server.

mod bounded;
mod command;
mod connect;
mod reply;
mod server;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use ::redis::{Cmd, FromRedisValue, Value};
use praxis_wasi::State;
use wasmtime::component::{Accessor, HasData, Linker, Resource, ResourceTable};

use crate::capabilities::Capability;
use crate::capabilities::outbound::{Grants, Outbound};
use crate::manifest::Component;
use crate::manifest::limits::{REDIS_REPLY_BYTES, REDIS_SERVERS};

pub use self::bindings::{RedisParameter, RedisResult};
pub use self::command::free_command;
pub use self::server::{Error, Server};

mod bindings {
    wasmtime::component::bindgen!({
        path: ["../wit/spin/redis"],
        inline: "
            package praxis:host-redis;
            world imports {
                import spin:redis/redis@3.0.0;
            }
        ",
        world: "praxis:host-redis/imports",
        imports: { default: async | trappable },
        with: { "spin:redis/redis.connection": super::Connection },
        trappable_error_type: { "spin:redis/redis.error" => super::Error },
        require_store_data_send: true,
    });

    pub use spin::redis::redis::{
        Error, Host, HostConnection, HostConnectionWithStore, RedisParameter, RedisResult,
        add_to_linker,
    };
}

/// An address as a guest writes it: host names and passwords end long before.
const ADDRESS_BYTES_MAX: usize = 4 << 10;

/// The capability: connections for the process, grants for each component.
pub struct Redis {
    outbound: Arc<Outbound>,
    servers: Arc<Servers>,
}

impl Redis {
    pub fn new(outbound: Arc<Outbound>) -> Self {
        Self {
            outbound,
            servers: Arc::default(),
        }
    }
}

impl Capability for Redis {
    fn interfaces(&self) -> &'static [&'static str] {
        &["spin:redis/redis"]
    }

    fn is_granted(&self, component: &Component) -> bool {
        self.outbound.of(component).grants_any("redis")
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
            servers: Arc::clone(&self.servers),
        });
    }
}

/// Each component's connections, one for each address; the one asked for last is at the end.
/// Nobody's replies can go astray to another component.
#[derive(Default)]
pub struct Servers(Mutex<HashMap<String, OfComponent>>);

/// The servers that one component uses, by address.
type OfComponent = Vec<(String, Arc<Server>)>;

impl Servers {
    /// The server at an address such as `redis://:password@host:6379/0`. Nothing is sent yet. One
    /// that the component no longer holds makes room where it has too many.
    pub fn at(&self, component: &str, limits: Limits, address: &str) -> Result<Arc<Server>, Error> {
        let mut components = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let servers = components.entry(component.to_owned()).or_default();
        if let Some(place) = servers.iter().position(|(known, _)| known == address) {
            servers[place..].rotate_left(1);
        } else {
            let server = Arc::new(Server::bounded(address, limits.reply_bytes_max)?);
            if servers.len() >= limits.servers_max {
                let is_idle = |(_, server): &(_, Arc<Server>)| Arc::strong_count(server) == 1;
                let idle = servers.iter().position(is_idle);
                servers.remove(idle.ok_or(Error::TooMany)?);
            }
            servers.push((address.to_owned(), server));
        }
        let last = servers.last().map(|(_, server)| Arc::clone(server));
        last.ok_or(Error::TooMany)
    }
}

/// What bounds one component.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Different servers that it may use at one time.
    pub servers_max: usize,
    pub reply_bytes_max: u64,
}

impl Default for Limits {
    /// Those of a component of which the manifest says nothing.
    fn default() -> Self {
        Self::of(&Component::default())
    }
}

impl Limits {
    pub fn of(component: &Component) -> Self {
        let limits = &component.tool.praxis.limits;
        Self {
            servers_max: limits.count(&REDIS_SERVERS),
            reply_bytes_max: limits.of(&REDIS_REPLY_BYTES),
        }
    }
}

/// One instance's part.
struct Instance {
    component: String,
    limits: Limits,
    grants: Arc<Grants>,
    servers: Arc<Servers>,
}

impl Instance {
    fn open(&self, address: &str) -> Result<Arc<Server>, Error> {
        if address.len() > ADDRESS_BYTES_MAX {
            tracing::warn!("an address of Redis has more than {ADDRESS_BYTES_MAX} bytes");
            return Err(Error::Address);
        }
        self.grants.allow("redis", address).map_err(|refused| {
            tracing::warn!(%refused, "a connection to Redis was refused");
            Error::Address
        })?;
        self.servers.at(&self.component, self.limits, address)
    }
}

/// What a guest holds: its place on the shared connection.
pub struct Connection(Arc<Server>);

struct View<'a> {
    instance: &'a mut Instance,
    table: &'a mut ResourceTable,
}

struct Link;

impl HasData for Link {
    type Data<'a> = View<'a>;
}

impl bindings::Host for View<'_> {
    fn convert_error(&mut self, error: Error) -> wasmtime::Result<bindings::Error> {
        if let Error::Unavailable(reason) = &error {
            tracing::warn!(reason, "no connection to Redis");
        }
        Ok(match error {
            Error::Address => bindings::Error::InvalidAddress,
            Error::TooMany => bindings::Error::TooManyConnections,
            Error::Type => bindings::Error::TypeError,
            Error::TooLong(_) => bindings::Error::Other(error.to_string()),
            Error::Unavailable(reason) | Error::Refused(reason) => bindings::Error::Other(reason),
            Error::Trap(trap) => return Err(trap),
        })
    }
}

impl bindings::HostConnection for View<'_> {
    async fn drop(&mut self, connection: Resource<Connection>) -> wasmtime::Result<()> {
        self.table.delete(connection)?;
        Ok(())
    }
}

impl Link {
    async fn ask<T: Send + 'static, R: FromRedisValue>(
        accessor: &Accessor<T, Self>,
        connection: &Resource<Connection>,
        command: &Cmd,
    ) -> Result<R, Error> {
        let server = accessor.with(|mut access| {
            let connection = access.get().table.get(connection);
            connection.map(|connection| Arc::clone(&connection.0))
        });
        server
            .map_err(|error| Error::Trap(error.into()))?
            .ask(command)
            .await
    }
}

impl<T: Send + 'static> bindings::HostConnectionWithStore<T> for Link {
    async fn open(
        accessor: &Accessor<T, Self>,
        address: String,
    ) -> Result<Resource<Connection>, Error> {
        accessor.with(|mut access| {
            let view = access.get();
            let server = view.instance.open(&address)?;
            let pushed = view.table.push(Connection(server));
            pushed.map_err(|error| Error::Trap(error.into()))
        })
    }

    async fn publish(
        accessor: &Accessor<T, Self>,
        connection: Resource<Connection>,
        channel: String,
        payload: Vec<u8>,
    ) -> Result<(), Error> {
        let command = command("PUBLISH", &channel, &[payload]);
        Self::ask(accessor, &connection, &command).await
    }

    async fn get(
        accessor: &Accessor<T, Self>,
        connection: Resource<Connection>,
        key: String,
    ) -> Result<Option<Vec<u8>>, Error> {
        Self::ask(accessor, &connection, &command::<&str>("GET", &key, &[])).await
    }

    async fn set(
        accessor: &Accessor<T, Self>,
        connection: Resource<Connection>,
        key: String,
        value: Vec<u8>,
    ) -> Result<(), Error> {
        Self::ask(accessor, &connection, &command("SET", &key, &[value])).await
    }

    async fn incr(
        accessor: &Accessor<T, Self>,
        connection: Resource<Connection>,
        key: String,
    ) -> Result<i64, Error> {
        Self::ask(accessor, &connection, &command::<&str>("INCR", &key, &[])).await
    }

    async fn del(
        accessor: &Accessor<T, Self>,
        connection: Resource<Connection>,
        keys: Vec<String>,
    ) -> Result<u32, Error> {
        let Some((first, rest)) = keys.split_first() else {
            return Ok(0);
        };
        Self::ask(accessor, &connection, &command("DEL", first, rest)).await
    }

    async fn sadd(
        accessor: &Accessor<T, Self>,
        connection: Resource<Connection>,
        key: String,
        values: Vec<String>,
    ) -> Result<u32, Error> {
        Self::ask(accessor, &connection, &command("SADD", &key, &values)).await
    }

    async fn smembers(
        accessor: &Accessor<T, Self>,
        connection: Resource<Connection>,
        key: String,
    ) -> Result<Vec<String>, Error> {
        let command = command::<&str>("SMEMBERS", &key, &[]);
        Self::ask(accessor, &connection, &command).await
    }

    async fn srem(
        accessor: &Accessor<T, Self>,
        connection: Resource<Connection>,
        key: String,
        values: Vec<String>,
    ) -> Result<u32, Error> {
        Self::ask(accessor, &connection, &command("SREM", &key, &values)).await
    }

    async fn execute(
        accessor: &Accessor<T, Self>,
        connection: Resource<Connection>,
        command: String,
        arguments: Vec<RedisParameter>,
    ) -> Result<Vec<RedisResult>, Error> {
        let command = free_command(&command, &arguments)?;
        let reply: Value = Self::ask(accessor, &connection, &command).await?;
        reply::flatten(reply)
    }
}

fn command<A: AsRef<[u8]>>(name: &str, key: &str, arguments: &[A]) -> Cmd {
    let mut command = ::redis::cmd(name);
    command.arg(key);
    for argument in arguments {
        command.arg(argument.as_ref());
    }
    command
}

/// Whether the server answers.
pub async fn health(server: &Server) -> Result<(), String> {
    let answer = server.ask::<String>(&::redis::cmd("PING")).await;
    answer.map(drop).map_err(|error| error.to_string())
}

/// Runs a command as a guest's `execute` does.
pub async fn execute(
    server: &Server,
    name: &str,
    arguments: &[RedisParameter],
) -> Result<Vec<RedisResult>, Error> {
    let command = free_command(name, arguments)?;
    reply::flatten(server.ask(&command).await?)
}
