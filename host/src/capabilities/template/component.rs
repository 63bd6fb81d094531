//! The sandbox, as components see it.

use std::sync::Arc;

use praxis_wasi::State;
use tokio_util::task::AbortOnDropHandle;
use wasmtime::component::{Accessor, HasData, Linker};

use super::bindings::praxis::template::{sandbox, types};
use super::{Channel, Error, Message, Request, Sandbox, Template};
use crate::capabilities::Capability;
use crate::manifest::Component;

/// A sandbox, for components to which it is granted.
#[derive(Clone)]
pub struct Templates(Arc<Sandbox>);

impl Templates {
    pub fn new(sandbox: Arc<Sandbox>) -> Self {
        Self(sandbox)
    }
}

impl Capability for Templates {
    fn interfaces(&self) -> &'static [&'static str] {
        &["praxis:template/sandbox"]
    }

    fn is_granted(&self, component: &Component) -> bool {
        component.tool.praxis.templates
    }

    fn link(&self, linker: &mut Linker<State>) -> wasmtime::Result<()> {
        sandbox::add_to_linker::<State, Granted>(linker, |state| state.part::<Templates>().0)
    }

    fn attach(&self, _: &Component, state: &mut State) {
        state.attach(self.clone());
    }
}

struct Granted;

impl HasData for Granted {
    type Data<'a> = &'a mut Templates;
}

fn shared<T>(accessor: &Accessor<T, Granted>) -> Arc<Sandbox> {
    accessor.with(|mut access| Arc::clone(&access.get().0))
}

/// In a task of its own: no store can be run from within another's, and this is called from the asking
/// component's. Given up with whoever asked.
async fn apart<T: Send + 'static>(
    work: impl Future<Output = Result<T, Error>> + Send + 'static,
) -> Result<T, Error> {
    let task = AbortOnDropHandle::new(tokio::spawn(work));
    task.await
        .unwrap_or_else(|error| Err(Error::Unavailable(Box::new(error))))
}

impl<T: Send + 'static> sandbox::HostWithStore<T> for Granted {
    async fn compile(
        accessor: &Accessor<T, Self>,
        channel: Channel,
        source: String,
    ) -> Result<String, Error> {
        let sandbox = shared(accessor);
        apart(async move { sandbox.compile(channel, &source).await }).await
    }

    async fn keep(
        accessor: &Accessor<T, Self>,
        owner: String,
        component: Vec<u8>,
    ) -> Result<String, Error> {
        let sandbox = shared(accessor);
        apart(async move { sandbox.keep(&owner, component).await }).await
    }

    async fn render(
        accessor: &Accessor<T, Self>,
        owner: String,
        template: Template,
        request: Request,
    ) -> Result<Message, Error> {
        let sandbox = shared(accessor);
        apart(async move { sandbox.render(&owner, &template, &request).await }).await
    }
}

impl types::Host for &mut Templates {}

impl sandbox::Host for &mut Templates {
    fn convert_error(&mut self, error: Error) -> wasmtime::Result<sandbox::Error> {
        Ok(match error {
            Error::Mistakes(mistakes) => sandbox::Error::Mistakes(mistakes),
            Error::Broken(why) => sandbox::Error::Broken(why),
            Error::Refused(why) => sandbox::Error::Refused(why),
            Error::Unknown => sandbox::Error::Unknown,
            Error::Unavailable(source) => {
                let error = anyhow::Error::from_boxed(source);
                tracing::warn!(error = format!("{error:#}"), "templates are unavailable");
                sandbox::Error::Unavailable
            }
        })
    }
}
