//! Outbound HTTP requests of an instance: this crate only hands them to whoever sends them.

use std::pin::Pin;
use std::sync::Arc;

use http::{Request, Response};
use wasmtime_wasi_http::{Error, RequestOptions, Result, WasiBody, WasiHttpHooks};

/// Sends the requests of an instance, or refuses to.
pub trait Sender: Send + Sync {
    /// The head of the answer; its body comes as it is read.
    fn send(&self, request: Request<WasiBody>, options: RequestOptions) -> Sending;
}

pub type Sending = Pin<Box<dyn Future<Output = Result<Response<WasiBody>>> + Send>>;

/// Without a sender, every request is refused.
#[derive(Default)]
pub struct Requests {
    pub sender: Option<Arc<dyn Sender>>,
}

type Transmission = Box<dyn Future<Output = Result<(), Error>> + Send>;

impl WasiHttpHooks for Requests {
    fn send_request(
        &mut self,
        request: Request<WasiBody>,
        options: Option<RequestOptions>,
        _: Transmission,
    ) -> Box<dyn Future<Output = Result<(Response<WasiBody>, Transmission)>> + Send> {
        let sender = self.sender.clone();
        Box::new(async move {
            let sender = sender.ok_or(Error::HttpRequestDenied)?;
            let answer = sender.send(request, options.unwrap_or_default()).await?;
            Ok((answer, Box::new(async { Ok(()) }) as Transmission))
        })
    }
}
