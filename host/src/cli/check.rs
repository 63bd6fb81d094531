//! `praxis check`: all that is wrong with an application, or what each of its components is and
//! may do. It needs no server and no variable's value.

mod granted;
mod rehearsal;
mod warnings;

use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

pub use self::rehearsal::Rehearsal;
use crate::manifest::limits;
use crate::manifest::{Component, Fault, Manifest, Reading, Route};
use crate::runtime::code::Surface;
use crate::runtime::files::Files;

#[derive(Debug, Args)]
pub struct Check {
    /// The application's manifest.
    #[arg(long, env = "PRAXIS_MANIFEST", default_value = "spin.toml")]
    manifest: PathBuf,
    /// Where compiled code is kept.
    #[arg(long, env = "PRAXIS_DATA_DIR", default_value = ".praxis")]
    data_dir: PathBuf,
}

/// What was found out about an application.
#[derive(Debug, Default)]
pub struct Findings {
    pub faults: Vec<Fault>,
    pub warnings: Vec<Fault>,
    /// What each component is and may do, as text; empty where something is wrong.
    pub report: String,
}

impl Check {
    /// Fails only if the manifest cannot be read, or if nothing can be compiled here.
    pub async fn run(self) -> anyhow::Result<ExitCode> {
        let reading = Reading::of_file(&self.manifest)?;
        let findings = examine(reading, &self.data_dir).await?;
        for warning in &findings.warnings {
            eprintln!("{warning} (warning)");
        }
        for fault in &findings.faults {
            eprintln!("{fault}");
        }
        if findings.faults.is_empty() {
            print!("{}", findings.report);
            return Ok(ExitCode::SUCCESS);
        }
        Ok(ExitCode::FAILURE)
    }
}

/// Compiles and links every component of a manifest, as far as it could be understood.
pub async fn examine(reading: Reading, data_dir: &std::path::Path) -> anyhow::Result<Findings> {
    let Reading {
        manifest,
        mut faults,
        mut warnings,
    } = reading;
    let has_sound_manifest = faults.is_empty();
    let rehearsal = Rehearsal::of(&manifest, data_dir).await?;
    faults.extend(rehearsal.faults.iter().cloned());
    warnings.extend(warnings::of_manifest(&manifest, &rehearsal.unset));
    let mut report = summary(&manifest);
    for component in manifest.component.values() {
        // What its table lacks is said already.
        if component.source.as_os_str().is_empty() {
            continue;
        }
        let fault = |what: &String| rehearsal.fitter.fault(component, what);
        if let Err(why) = Files::check(&manifest.folder, component, data_dir) {
            faults.push(fault(&format!("{why:#}")));
        }
        match rehearsal.fit(component) {
            Ok(fitted) => {
                let surface = &fitted.surface;
                let found = warnings::of_component(component, surface, &rehearsal.unset);
                warnings.extend(found.iter().map(fault));
                describe(&mut report, &manifest, component, surface, &rehearsal.unset);
            }
            Err(misfit) => faults.extend(misfit.faults.iter().map(fault)),
        }
    }
    if !faults.is_empty() || !has_sound_manifest {
        report.clear();
    }
    let order = |a: &Fault, b: &Fault| (a.place, &a.what).cmp(&(b.place, &b.what));
    faults.sort_by(order);
    warnings.sort_by(order);
    Ok(Findings {
        faults,
        warnings,
        report,
    })
}

fn summary(manifest: &Manifest) -> String {
    let triggers = &manifest.trigger;
    let count = |number: usize, noun: &str| match number {
        1 => format!("1 {noun}"),
        _ => format!("{number} {noun}s"),
    };
    let mut parts = vec![count(manifest.component.len(), "component")];
    for (number, noun) in [
        (triggers.http.len(), "route"),
        (triggers.kafka.len(), "consumer"),
        (triggers.cron.len(), "timer"),
        (triggers.redis.len(), "channel"),
    ] {
        if number > 0 {
            parts.push(count(number, noun));
        }
    }
    let mut text = format!(
        "{} is good: {}\n",
        manifest.path.display(),
        parts.join(", ")
    );
    let set = &manifest.application.tool.praxis.limits;
    for line in granted::changed(set.changed(&limits::OF_APPLICATIONS)) {
        let _ = writeln!(text, "  {line}");
    }
    text
}

fn describe(
    report: &mut String,
    manifest: &Manifest,
    component: &Component,
    surface: &Surface,
    unset: &[String],
) {
    let _ = writeln!(report, "\n{}  {}", component.id, component.source.display());
    let mut line = |title: &str, items: &[String]| {
        for (place, item) in items.iter().enumerate() {
            let title = if place == 0 { title } else { "" };
            // Writing to text cannot fail.
            let _ = writeln!(report, "  {title:<10}  {item}");
        }
    };
    line("runs on", &triggers(manifest, &component.id));
    line("exports", &surface.exports);
    line("imports", &grouped(&surface.imports));
    for (title, items) in granted::of(component, unset) {
        line(title, &items);
    }
    line("limits", &granted::limits(component));
}

/// The interfaces of one package in one line: `wasi:io@0.2.6 (poll, streams)`.
fn grouped(interfaces: &[String]) -> Vec<String> {
    let mut groups: Vec<(String, Vec<&str>)> = Vec::new();
    for interface in interfaces {
        let Some((package, rest)) = interface.split_once('/') else {
            groups.push((interface.clone(), Vec::new()));
            continue;
        };
        let (name, package) = match rest.split_once('@') {
            Some((name, version)) => (name, format!("{package}@{version}")),
            None => (rest, package.to_owned()),
        };
        match groups.iter_mut().find(|(other, _)| *other == package) {
            Some((_, names)) => names.push(name),
            None => groups.push((package, vec![name])),
        }
    }
    let line = |(package, names): (String, Vec<&str>)| match names.is_empty() {
        true => package,
        false => format!("{package} ({})", names.join(", ")),
    };
    groups.into_iter().map(line).collect()
}

/// What runs the component.
fn triggers(manifest: &Manifest, id: &str) -> Vec<String> {
    let triggers = &manifest.trigger;
    let mut items = Vec::new();
    for trigger in triggers.http.iter().filter(|t| t.component == id) {
        items.push(match &trigger.route {
            Route::Public(route) => format!("the route {route}"),
            Route::Private => "requests of other components".into(),
        });
    }
    for trigger in triggers.kafka.iter().filter(|t| t.component == id) {
        items.push(format!("the topic {}", trigger.topic));
    }
    for trigger in triggers.cron.iter().filter(|t| t.component == id) {
        items.push(format!("the timer {:?}", trigger.schedule));
    }
    if manifest.template_renderer() == Some(id) {
        items.push("templates, in the sandbox".into());
    }
    for trigger in triggers.redis.iter().filter(|t| t.component == id) {
        items.push(format!("the channel {}", trigger.channel));
    }
    items
}
