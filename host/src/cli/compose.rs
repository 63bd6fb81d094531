//! The composition root: adapters chosen by the configuration, and everything started.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use anyhow::Context as _;
use futures::FutureExt as _;
use metrics_exporter_prometheus::PrometheusBuilder;
use serde_json::json;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::token::ISSUER_FOLDER;
use crate::capabilities::delivery::catcher::Catcher;
use crate::capabilities::events::Broker;
use crate::config::Config;
use crate::manifest::Manifest;
use crate::runtime::application::Application;
use crate::runtime::capability::Capability;
use crate::runtime::consumer::Consumer;
use crate::runtime::engine;
use crate::triggers::http::Server;
use crate::triggers::http::auth::{Source, Verifier};
use crate::triggers::http::development::Development;
use crate::triggers::http::guest::Guest;
use crate::triggers::http::issuer::{AUDIENCE, ISSUER, Issuer};
use crate::triggers::http::operations::{Dependency, Operations, Probe};

const COMPILED_FOLDER: &str = "compiled";
const INDEX_FOLDER: &str = "index";
const MAIL_FOLDER: &str = "mail";
/// Connections that are accepted by the kernel before we do.
const ACCEPT_BACKLOG: u32 = 1024;
/// Seconds; from a cache hit to the slowest that a request may be.
const SECONDS_BUCKETS: [f64; 12] = [
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 30.0,
];
