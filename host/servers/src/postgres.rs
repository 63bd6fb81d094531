//! PostgreSQL.

use std::ffi::OsString;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context as _, bail, ensure};
use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;

use crate::Durability;
use crate::account::{self, Account};
use crate::orphan;
use crate::server::{Plan, Probe, Server, claim};

/// The user and the database that `url` names.
const NAME: &str = "praxis";
const CONNECTIONS_MAX: u32 = 300;
/// For a directory of a country: its tables in memory (pages are taken as they are touched), and a
/// checkpoint every quarter of an hour, since after each of them every page that is written goes into
/// the log whole. Autovacuum takes a fifth of the default's pace: at that it has a core of two to itself for
/// seconds, and everybody waits.
const DURABLE: [&str; 5] = [
    "shared_buffers=1GB",
    "max_wal_size=4GB",
    "checkpoint_timeout=15min",
    "wal_compression=lz4",
    "autovacuum_vacuum_cost_delay=10ms",
];
const INSTALLED: &str = "/usr/lib/postgresql";

/// Starts a server on the data in the folder, which are made if they are not there, and always made
/// anew unless they are `Durable`: a user and a database `praxis`, open to whoever reaches 127.0.0.1.
/// As root it runs as the user `postgres`, and where that one may not enter the folder, under
/// `/var/lib/praxis` instead.
pub async fn start(folder: &Path, durability: Durability) -> anyhow::Result<Server> {
    let account = Account::unless_root_is_fine("postgres")
        .context("PostgreSQL is missing: apt-get install postgresql")?;
    let folder = match account {
        Some(_) => account::enterable(folder)?,
        None => folder.to_path_buf(),
    };
    let (folder, lock) = claim(&folder)?;
    if let Some(account) = &account {
        account.own(&folder)?;
    }
    let data = folder.join("data");
    if durability != Durability::Durable {
        orphan::stop(&folder).await?;
        remove(&data)?;
    }
    let programs = programs(&data)?;
    if !data.exists() {
        make_data(&programs, account.as_ref(), &data).await?;
    }
    forget_stale_pid(&folder, &data)?;
    let postgres = programs.join("postgres");
    let command = move |port| command(&postgres, &data, port, durability);
    Server::start(Plan {
        name: "PostgreSQL",
        folder,
        lock,
        account,
        command: Box::new(command),
        url: |port| format!("postgres://{NAME}@127.0.0.1:{port}/{NAME}"),
        // The fast shutdown: clients are sent away, the data are left in order.
        stop_signal: "INT",
        // AuthenticationOk; one that is still starting up answers with an error.
        probe: Probe {
            send: startup(),
            expect: b"R",
        },
    })
    .await
}

/// One of PostgreSQL's own programs, of the newest version that is installed.
pub fn installed_program(name: &str) -> anyhow::Result<PathBuf> {
    let folder = installed().into_iter().next().or_else(on_path);
    let program = folder.map(|folder| folder.join(name));
    program
        .filter(|program| program.exists())
        .with_context(|| format!("{name} is missing: apt-get install postgresql"))
}

fn command(postgres: &Path, data: &Path, port: u16, durability: Durability) -> Vec<OsString> {
    // What the kernel has been handed outlives the server, synced or not.
    let (safe, handed) = match durability {
        Durability::Durable => ("on", "on"),
        Durability::Killable => ("off", "on"),
        Durability::Scratch => ("off", "off"),
    };
    let settings = [
        "listen_addresses=127.0.0.1".to_owned(),
        format!("port={port}"),
        "unix_socket_directories=".to_owned(),
        format!("max_connections={CONNECTIONS_MAX}"),
        "timezone=UTC".to_owned(),
        "log_timezone=UTC".to_owned(),
        "jit=off".to_owned(),
        format!("fsync={safe}"),
        format!("synchronous_commit={handed}"),
        format!("full_page_writes={safe}"),
    ];
    let room: &[&str] = match durability {
        Durability::Durable => &DURABLE,
        Durability::Killable | Durability::Scratch => &["shared_buffers=128MB"],
    };
    let mut line = vec![postgres.into(), "-D".into(), data.into()];
    for setting in settings
        .iter()
        .map(String::as_str)
        .chain(room.iter().copied())
    {
        line.extend(["-c".into(), setting.into()]);
    }
    line
}

/// Under a name that no start looks at until all is there: an interrupted one begins again.
async fn make_data(programs: &Path, account: Option<&Account>, data: &Path) -> anyhow::Result<()> {
    let unfinished = data.with_extension("unfinished");
    remove(&unfinished)?;
    let mut initdb = program(programs, account, "initdb");
    initdb
        .args([
            "--no-sync",
            "--auth=trust",
            "--encoding=UTF8",
            "--locale=C.UTF-8",
        ])
        .arg(format!("--username={NAME}"))
        .arg("-D")
        .arg(&unfinished);
    run(initdb, "")
        .await
        .context("could not make a PostgreSQL data folder")?;
    let mut single = program(programs, account, "postgres");
    single
        .arg("--single")
        .arg("-D")
        .arg(&unfinished)
        .arg("postgres");
    run(single, &format!("create database {NAME}\n"))
        .await
        .with_context(|| format!("could not create the database {NAME}"))?;
    fs::rename(&unfinished, data).with_context(|| format!("could not make {}", data.display()))
}

/// Removes a folder, if it is there.
fn remove(folder: &Path) -> anyhow::Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            Err(error).with_context(|| format!("could not remove {}", folder.display()))
        }
        Ok(()) | Err(_) => Ok(()),
    }
}

/// PostgreSQL does not start while the pid in its own lock file is somebody's, whoever that is.
fn forget_stale_pid(folder: &Path, data: &Path) -> anyhow::Result<()> {
    let path = data.join("postmaster.pid");
    let Ok(text) = fs::read_to_string(&path) else {
        return Ok(());
    };
    match text.lines().next().and_then(|pid| pid.trim().parse().ok()) {
        // Ours, left running: `Server::start` stops it.
        Some(pid) if orphan::runs(folder, pid) => orphan::note(folder, pid),
        Some(_) | None => {
            fs::remove_file(&path).with_context(|| format!("could not remove {}", path.display()))
        }
    }
}

fn program(programs: &Path, account: Option<&Account>, name: &str) -> Command {
    let mut command = Command::new("setpriv");
    if let Some(account) = account {
        command.args(account.setpriv_arguments());
    }
    command
        .args(["--pdeathsig=TERM", "--"])
        .arg(programs.join(name))
        .current_dir("/");
    command
}

async fn run(mut command: Command, input: &str) -> anyhow::Result<()> {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .context("could not run setpriv")?;
    let mut stdin = child.stdin.take().expect("stdin is piped");
    stdin
        .write_all(input.as_bytes())
        .await
        .context("could not write to its standard input")?;
    drop(stdin);
    let output = child
        .wait_with_output()
        .await
        .context("could not wait for it")?;
    ensure!(
        output.status.success(),
        "{}: {}{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(())
}

/// The folder of the programs: of the version that made the data, or else of the newest one.
fn programs(data: &Path) -> anyhow::Result<PathBuf> {
    let installed = installed();
    if let Ok(version) = fs::read_to_string(data.join("PG_VERSION")) {
        let version = version.trim();
        let fits = |path: &&PathBuf| path.ends_with(Path::new(version).join("bin"));
        return match installed.iter().find(fits) {
            Some(path) => Ok(path.clone()),
            None => on_path().with_context(|| {
                format!(
                    "{} was made by PostgreSQL {version}, which is missing: \
                     apt-get install postgresql-{version}",
                    data.display()
                )
            }),
        };
    }
    match installed.into_iter().next().or_else(on_path) {
        Some(path) => Ok(path),
        None => bail!("PostgreSQL is missing: apt-get install postgresql"),
    }
}

/// Newest first.
fn installed() -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(INSTALLED) else {
        return Vec::new();
    };
    let mut versions: Vec<(u32, PathBuf)> = entries
        .filter_map(Result::ok)
        .filter_map(|entry| {
            let version = entry.file_name().to_str()?.parse().ok()?;
            let programs = entry.path().join("bin");
            programs
                .join("postgres")
                .exists()
                .then_some((version, programs))
        })
        .collect();
    versions.sort_by_key(|(version, _)| std::cmp::Reverse(*version));
    versions.into_iter().map(|(_, programs)| programs).collect()
}

fn on_path() -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).find(|folder| folder.join("postgres").exists())
}

/// A StartupMessage of the protocol's version 3.0.
fn startup() -> Vec<u8> {
    let parameters = format!("user\0{NAME}\0database\0{NAME}\0\0");
    let length = u32::try_from(8 + parameters.len()).expect("two short names");
    [
        &length.to_be_bytes()[..],
        &0x0003_0000_u32.to_be_bytes(),
        parameters.as_bytes(),
    ]
    .concat()
}
