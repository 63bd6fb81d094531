//! A consumer without a host: what librdkafka itself costs.

use std::convert::Infallible;
use std::hint::black_box;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use anyhow::Context as _;
use bytes::Bytes;
use clap::Args;
use http::Response;
use http_body_util::Full;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{Consumer as _, StreamConsumer};
use rdkafka::message::{Headers as _, Message as _};
use tokio::net::TcpListener;

use crate::clock;
use crate::contestant::own_processor_time;

#[derive(Debug, Args)]
pub struct Arguments {
    #[arg(long)]
    port: u16,
    #[arg(long)]
    brokers: String,
    #[arg(long)]
    topic: String,
    #[arg(long)]
    group: String,
    /// Print the stream version of each event, and when it came.
    #[arg(long)]
    timed: bool,
    /// At so many events, print the time that has passed and the processor time that was used: who asks
    /// from outside would be late, since all is read in less than a second.
    #[arg(long, value_delimiter = ',')]
    marks: Vec<u64>,
}

/// Reads the topic from its beginning, and says at `/metrics` how far it is, as the host does.
pub async fn consume(arguments: Arguments) -> anyhow::Result<()> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, arguments.port)).await?;
    let handled = Arc::new(AtomicU64::new(0));
    tokio::spawn(tell(listener, Arc::clone(&handled)));
    // The settings are the host's.
    let consumer: StreamConsumer = ClientConfig::new()
        .set("bootstrap.servers", &arguments.brokers)
        .set("group.id", &arguments.group)
        .set("partition.assignment.strategy", "cooperative-sticky")
        .set("auto.offset.reset", "earliest")
        .set("enable.auto.offset.store", "false")
        .set("auto.commit.interval.ms", "1000")
        .set("fetch.wait.max.ms", "100")
        .create()?;
    consumer.subscribe(&[&arguments.topic])?;
    let started = Instant::now();
    let read = async move {
        let mut marks = arguments.marks.into_iter().peekable();
        loop {
            let message = consumer.recv().await?;
            black_box((message.key(), message.payload()));
            let mut stream_version = None;
            for header in message.headers().into_iter().flat_map(|all| all.iter()) {
                if header.key == "ce_streamversion" {
                    stream_version = header.value;
                }
                black_box(header);
            }
            if arguments.timed {
                let stream_version = stream_version.context("an event has no version")?;
                let now = clock::now();
                println!(
                    "timed {} {}.{:09}",
                    String::from_utf8_lossy(stream_version),
                    now.as_secs(),
                    now.subsec_nanos()
                );
            }
            consumer.store_offset_from_message(&message)?;
            let before = handled.fetch_add(1, Ordering::Relaxed);
            if let Some(mark) = marks.next_if(|mark| *mark == before + 1) {
                let (passed, used) = (started.elapsed(), own_processor_time()?);
                println!("mark {mark} {} {}", passed.as_nanos(), used.as_nanos());
            }
        }
    };
    // On a worker, where the host reads, too.
    tokio::spawn(read).await?
}

async fn tell(listener: TcpListener, handled: Arc<AtomicU64>) -> anyhow::Result<()> {
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let handled = Arc::clone(&handled);
        let service = service_fn(move |_| {
            let text = format!("event_handled_total {}\n", handled.load(Ordering::Relaxed));
            async move { Ok::<_, Infallible>(Response::new(Full::new(Bytes::from(text)))) }
        });
        let connection = hyper::server::conn::http1::Builder::new()
            .serve_connection(TokioIo::new(stream), service);
        // A client that goes away is no fault.
        tokio::spawn(async move { connection.await.ok() });
    }
}
