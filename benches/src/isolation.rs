//! A component that is well, beside one that misbehaves: what its requests feel of it.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::contestant::Contestant;
use crate::figures::{self, COLUMNS, Report};
use crate::load;
use crate::place::Place;

/// Connections that keep the misbehaving component at it.
const VILLAINS: usize = 16;
/// So long after the first of them, the component has its hands full.
const SETTLE: Duration = Duration::from_millis(300);
const READ_TIMEOUT: Duration = Duration::from_secs(5);
/// Paths of `tests/guests/unruly`.
const BEHAVIOURS: [&str; 9] = [
    "loop",
    "calls",
    "trap",
    "leak",
    "recurse",
    "never",
    "endless",
    "trap-late",
    "loop-late",
];

/// The first row is the component alone. Every request to it has to succeed: else this fails.
pub fn measure(place: &Place, rounds: usize, seconds: u32) -> anyhow::Result<Vec<Report>> {
    let folder = tempfile::tempdir()?;
    let manifest = folder.path().join("spin.toml");
    fs::write(&manifest, self::manifest(place)?)?;
    let path = "/hello";
    let host = Contestant::praxis("praxis", place, folder.path(), &manifest, path, &[])?;
    load::many(&host, path, seconds)?;
    let mut alone = Vec::new();
    let mut beside = BEHAVIOURS.map(|_| Vec::new());
    for _ in 0..rounds {
        alone.push(load::many(&host, path, seconds)?);
        for (behaviour, samples) in BEHAVIOURS.iter().zip(&mut beside) {
            let villains = Villains::start(host.port, behaviour);
            std::thread::sleep(SETTLE);
            samples.push(load::many(&host, path, seconds)?);
            villains.stop();
        }
    }
    let mut rows = vec![figures::row("alone", &alone)];
    for (behaviour, samples) in BEHAVIOURS.iter().zip(&beside) {
        rows.push(figures::row(behaviour, samples));
    }
    Ok(vec![Report {
        title: format!("Hello world beside {VILLAINS} requests to a component that misbehaves"),
        columns: COLUMNS.into(),
        rows,
        findings: Vec::new(),
    }])
}

fn manifest(place: &Place) -> anyhow::Result<String> {
    let hello = place.component("hello")?.display().to_string();
    let unruly = place.component("unruly")?.display().to_string();
    Ok(format!(
        "spin_manifest_version = 2\n\
         [application]\nname = \"isolation\"\n\
         [[trigger.http]]\nroute = \"/hello\"\ncomponent = \"hello\"\n\
         [[trigger.http]]\nroute = \"/unruly/...\"\ncomponent = \"unruly\"\n\
         [component.hello]\nsource = {hello:?}\n\
         [component.unruly]\nsource = {unruly:?}\n\
         [component.unruly.tool.praxis]\nrequest_timeout_ms = 500\n"
    ))
}

/// Clients that ask for what goes wrong, again and again.
struct Villains {
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

impl Villains {
    fn start(port: u16, behaviour: &'static str) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let villain = || {
            let stop = Arc::clone(&stop);
            std::thread::spawn(move || {
                while !stop.load(Ordering::Relaxed) {
                    // That it goes wrong is what it is for.
                    let _ = ask(port, behaviour, &stop);
                }
            })
        };
        let threads = (0..VILLAINS).map(|_| villain()).collect();
        Self { stop, threads }
    }

    fn stop(self) {
        self.stop.store(true, Ordering::Relaxed);
        for thread in self.threads {
            let _ = thread.join();
        }
    }
}

fn ask(port: u16, behaviour: &str, stop: &AtomicBool) -> std::io::Result<()> {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
    stream.set_read_timeout(Some(READ_TIMEOUT))?;
    let head = format!("GET /unruly/{behaviour} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    stream.write_all(head.as_bytes())?;
    let mut buffer = [0; 16 << 10];
    while !stop.load(Ordering::Relaxed) && stream.read(&mut buffer)? > 0 {}
    Ok(())
}
