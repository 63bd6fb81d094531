//! A tenant's renderer that behaves as the event says: well, or badly in one way each.

#![expect(unsafe_code, reason = "what exports an interface is generated")]

use std::hint::black_box;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, SystemTime};

use bindings::exports::praxis::template::renderer::Guest;
use bindings::praxis::template::types::{Channel, Message, Mistake, Request};

mod bindings {
    spin_sdk::wit_bindgen::generate!({
        path: "../../../wit/template",
        inline: "
            package praxis:rendering;
            world rendering {
                export praxis:template/renderer@0.1.0;
            }
        ",
        runtime_path: "::spin_sdk::wit_bindgen::rt",
        generate_all,
    });
}

struct Renderer;
bindings::export!(Renderer with_types_in bindings);

static CALLS: AtomicU32 = AtomicU32::new(0);

impl Guest for Renderer {
    fn render(request: Request) -> Result<Message, Mistake> {
        let text = match request.event.as_str() {
            // Well.
            "plain" => format!("{}: {}", request.locale, request.view),
            "calls" => (CALLS.fetch_add(1, Ordering::Relaxed) + 1).to_string(),
            "world" => world(),
            "mistake" => {
                return Err(Mistake {
                    detail: "as asked".to_owned(),
                    line: Some(7),
                    column: None,
                });
            }
            // Badly.
            "loop" => spin(),
            "trap" => panic!("as asked"),
            "grow" => grow(),
            "recur" => recur(1).to_string(),
            "sleep" => {
                std::thread::sleep(Duration::from_secs(3_600));
                "slept".to_owned()
            }
            "long" => "x".repeat(300 << 10),
            "huge" => "x".repeat(40 << 20),
            "empty" => " ".to_owned(),
            "lines" => return Ok(message(&request, "Hello\r\nBcc: all@example.com", "text")),
            other => format!("{other}?"),
        };
        Ok(message(&request, "Hello", &text))
    }
}

fn message(request: &Request, subject: &str, text: &str) -> Message {
    let is_email = request.channel == Channel::Email;
    let has_subject = request.channel != Channel::Sms;
    Message {
        subject: has_subject.then(|| subject.to_owned()),
        text: text.to_owned(),
        html: is_email.then(|| format!("<p>{}</p>", text.len())),
    }
}

/// What it can see outside of itself.
#[expect(clippy::disallowed_methods, reason = "it tells what it is told")]
fn world() -> String {
    let variables = std::env::vars().count();
    let arguments = std::env::args().count();
    let file = std::fs::read("/etc/hostname").is_ok();
    let folder = std::fs::read_dir("/").is_ok();
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let now = now.map_or(0, |now| now.as_secs());
    println!("nobody hears this");
    format!("{variables} {arguments} {file} {folder} {now}")
}

fn spin() -> String {
    let mut turns = 0_u64;
    loop {
        turns = black_box(turns + 1);
    }
}

fn grow() -> String {
    let mut held = Vec::new();
    loop {
        held.push(black_box(vec![1_u8; 1 << 20]));
    }
}

fn recur(depth: u64) -> u64 {
    let room = black_box([depth; 64]);
    if room[0] == 0 {
        return 0;
    }
    recur(depth + 1) + room[0]
}
