//! Outbound HTTP requests of an instance.

use std::sync::Arc;
use std::time::Duration;

use http::{Request, Response, Uri};
use wasmtime_wasi_http::{
    Error, RequestOptions, Result, WasiBody, WasiHttpHooks, default_send_request,
};

/// Whether a request to the address may be sent.
pub type Permission = Arc<dyn Fn(&Uri) -> bool + Send + Sync>;

/// Opening the connection, where the component asks for no less.
const CONNECT_TIMEOUT_MS: u64 = 5_000;
/// The first byte of the answer, and the time between any two.
const READ_TIMEOUT_MS: u64 = 30_000;

/// Asks before it sends.
#[derive(Default)]
pub struct Requests {
    pub permission: Option<Permission>,
}

type Transmission = Box<dyn Future<Output = Result<(), Error>> + Send>;

impl WasiHttpHooks for Requests {
    fn send_request(
        &mut self,
        request: Request<WasiBody>,
        options: Option<RequestOptions>,
        _: Transmission,
    ) -> Box<dyn Future<Output = Result<(Response<WasiBody>, Transmission)>> + Send> {
        let allowed = self
            .permission
            .as_ref()
            .is_some_and(|permission| permission(request.uri()));
        let options = bounded(options);
        Box::new(async move {
            if !allowed {
                return Err(Error::HttpRequestDenied);
            }
            let (response, transmission) = default_send_request(request, Some(options)).await?;
            Ok((
                response.map(WasiBody::new),
                Box::new(transmission) as Transmission,
            ))
        })
    }
}

fn bounded(options: Option<RequestOptions>) -> RequestOptions {
    let mut options = options.unwrap_or_default();
    let bound = |timeout: &mut Option<Duration>, max_ms| {
        let max = Duration::from_millis(max_ms);
        *timeout = Some(timeout.map_or(max, |timeout| timeout.min(max)));
    };
    bound(&mut options.connect_timeout, CONNECT_TIMEOUT_MS);
    bound(&mut options.first_byte_timeout, READ_TIMEOUT_MS);
    bound(&mut options.between_bytes_timeout, READ_TIMEOUT_MS);
    options
}
