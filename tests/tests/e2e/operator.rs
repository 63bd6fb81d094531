//! The commands of operators, as a shell runs them.

use praxis_tests::{Api, World, place};
use tokio::process::Command;

/// Runs `praxis NAME ARGUMENTS…` against a world: whether it is content, and all that it prints.
///
/// # Panics
/// If it ends otherwise than content or not.
pub async fn command(
    world: &World,
    operator: &Api,
    name: &str,
    arguments: &[&str],
) -> (bool, String) {
    let command = Command::new(place::praxis())
        .arg(name)
        .args(arguments)
        .env("PRAXIS_URL", &world.host.base)
        .env("PRAXIS_TOKEN", operator.token())
        .output();
    let output = command.await.unwrap();
    let code = output.status.code();
    assert!([Some(0), Some(1)].contains(&code), "{output:?}");
    let text = |bytes| String::from_utf8(bytes).unwrap();
    let said = format!("{}{}", text(output.stdout), text(output.stderr));
    (code == Some(0), said)
}
