//! The channels, as components see them.

use praxis_wasi::State;
use wasmtime::component::{Accessor, HasData, Linker};

use super::bindings::praxis::delivery::{email, feedback, push, sms, types};
use super::feedback::{Feedback, Report};
use super::{Email, EmailChannel, Error, Push, PushChannel, Receipt, Sms, SmsChannel};
use crate::capabilities::Capability;
use crate::manifest::{Channel, Component};

impl Capability for EmailChannel {
    fn interfaces(&self) -> &'static [&'static str] {
        &["praxis:delivery/email"]
    }

    fn is_granted(&self, component: &Component) -> bool {
        component.tool.praxis.delivery.contains(&Channel::Email)
    }

    fn link(&self, linker: &mut Linker<State>) -> wasmtime::Result<()> {
        email::add_to_linker::<State, ByEmail>(linker, |state| View(state.part().0))
    }

    fn attach(&self, _: &Component, state: &mut State) {
        state.attach(self.clone());
    }
}

impl Capability for SmsChannel {
    fn interfaces(&self) -> &'static [&'static str] {
        &["praxis:delivery/sms"]
    }

    fn is_granted(&self, component: &Component) -> bool {
        component.tool.praxis.delivery.contains(&Channel::Sms)
    }

    fn link(&self, linker: &mut Linker<State>) -> wasmtime::Result<()> {
        sms::add_to_linker::<State, BySms>(linker, |state| View(state.part().0))
    }

    fn attach(&self, _: &Component, state: &mut State) {
        state.attach(self.clone());
    }
}

impl Capability for PushChannel {
    fn interfaces(&self) -> &'static [&'static str] {
        &["praxis:delivery/push"]
    }

    fn is_granted(&self, component: &Component) -> bool {
        component.tool.praxis.delivery.contains(&Channel::Push)
    }

    fn link(&self, linker: &mut Linker<State>) -> wasmtime::Result<()> {
        push::add_to_linker::<State, ByPush>(linker, |state| View(state.part().0))
    }

    fn attach(&self, _: &Component, state: &mut State) {
        state.attach(self.clone());
    }
}

impl Capability for Feedback {
    fn interfaces(&self) -> &'static [&'static str] {
        &["praxis:delivery/feedback"]
    }

    fn is_granted(&self, component: &Component) -> bool {
        component.tool.praxis.delivery.contains(&Channel::Feedback)
    }

    fn link(&self, linker: &mut Linker<State>) -> wasmtime::Result<()> {
        feedback::add_to_linker::<State, ByFeedback>(linker, |state| View(state.part().0))
    }

    fn attach(&self, _: &Component, state: &mut State) {
        state.attach(self.clone());
    }
}

/// One instance's channel.
struct View<'a, T>(&'a mut T);

struct ByEmail;
struct BySms;
struct ByPush;
struct ByFeedback;

impl HasData for ByEmail {
    type Data<'a> = View<'a, EmailChannel>;
}

impl HasData for BySms {
    type Data<'a> = View<'a, SmsChannel>;
}

impl HasData for ByPush {
    type Data<'a> = View<'a, PushChannel>;
}

impl HasData for ByFeedback {
    type Data<'a> = View<'a, Feedback>;
}

impl<T: Send + 'static> email::HostWithStore<T> for ByEmail {
    async fn send(accessor: &Accessor<T, Self>, email: Email) -> Result<Receipt, Error> {
        let channel = accessor.with(|mut access| access.get().0.clone());
        channel.send(&email).await
    }
}

impl<T: Send + 'static> sms::HostWithStore<T> for BySms {
    async fn send(accessor: &Accessor<T, Self>, sms: Sms) -> Result<Receipt, Error> {
        let channel = accessor.with(|mut access| access.get().0.clone());
        channel.send(&sms).await
    }
}

impl<T: Send + 'static> push::HostWithStore<T> for ByPush {
    async fn send(accessor: &Accessor<T, Self>, push: Push) -> Result<Receipt, Error> {
        let channel = accessor.with(|mut access| access.get().0.clone());
        channel.send(&push).await
    }
}

impl<T: Send + 'static> feedback::HostWithStore<T> for ByFeedback {
    async fn sns(
        accessor: &Accessor<T, Self>,
        body: Vec<u8>,
    ) -> Result<Vec<Report>, super::feedback::Error> {
        let feedback = accessor.with(|mut access| access.get().0.clone());
        feedback.sns(&body).await
    }
}

impl email::Host for View<'_, EmailChannel> {}
impl sms::Host for View<'_, SmsChannel> {}
impl push::Host for View<'_, PushChannel> {}

impl feedback::Host for View<'_, Feedback> {
    fn convert_error(
        &mut self,
        error: super::feedback::Error,
    ) -> wasmtime::Result<feedback::Error> {
        use super::feedback::Error;

        Ok(match error {
            Error::Untrusted(why) => feedback::Error::Untrusted(why),
            Error::Malformed(why) => feedback::Error::Malformed(why),
            Error::Unavailable(source) => {
                tracing::warn!(
                    error = format!("{source:#}"),
                    "what a provider reports can't be checked"
                );
                feedback::Error::Unavailable
            }
        })
    }
}

impl<T: Send> types::Host for View<'_, T> {
    fn convert_error(&mut self, error: Error) -> wasmtime::Result<types::Error> {
        Ok(match error {
            Error::BadAddress(why) => types::Error::BadAddress(why),
            Error::Rejected(why) => types::Error::Rejected(why),
            Error::Throttled(pause) => {
                types::Error::Throttled(u32::try_from(pause.as_millis()).unwrap_or(u32::MAX))
            }
            Error::Unavailable(source) => {
                let error = anyhow::Error::from_boxed(source);
                tracing::warn!(
                    error = format!("{error:#}"),
                    "a delivery channel is unavailable"
                );
                types::Error::Unavailable
            }
        })
    }
}
