//! What is served where. A file that is not named here is not served.

const HTML: &str = "text/html; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";
const JSON: &str = "application/json";
const PROBLEM: &str = "application/problem+json";
const TEXT: &str = "text/plain; charset=utf-8";
const SVG: &str = "image/svg+xml";
const WOFF2: &str = "font/woff2";

pub struct File {
    path: &'static str,
    pub content_type: &'static str,
    pub bytes: &'static [u8],
    fingerprint: u64,
}

impl File {
    const fn new(path: &'static str, content_type: &'static str, bytes: &'static [u8]) -> Self {
        Self {
            path,
            content_type,
            bytes,
            fingerprint: fnv1a(bytes),
        }
    }

    /// Strong: the bytes are the same wherever it is the same.
    pub fn etag(&self) -> String {
        format!("\"{:016x}\"", self.fingerprint)
    }
}

/// The file at a path; one trailing slash is dropped.
pub fn find(path: &str) -> Option<&'static File> {
    let path = match path.strip_suffix('/') {
        Some("") | None => path,
        Some(shorter) => shorter,
    };
    FILES.iter().find(|file| file.path == path)
}

pub static NOT_FOUND: File = File::new("", HTML, include_bytes!("../site/404.html"));

pub static NO_SUCH_OPERATION: File = File::new(
    "",
    PROBLEM,
    br#"{"type":"/problems/not-found","title":"Not found","status":404,"detail":"no operation has this path; /docs lists them"}"#,
);

pub static METHOD_NOT_ALLOWED: File = File::new(
    "",
    PROBLEM,
    br#"{"type":"/problems/method-not-allowed","title":"Method not allowed","status":405,"detail":"a page is read with GET or HEAD"}"#,
);

static FILES: &[File] = &[
    File::new("/", HTML, include_bytes!("../site/index.html")),
    File::new("/docs", HTML, include_bytes!("../site/docs.html")),
    File::new("/style.css", CSS, include_bytes!("../site/style.css")),
    File::new("/docs.css", CSS, include_bytes!("../site/docs.css")),
    File::new("/app.js", SCRIPT, include_bytes!("../site/app.js")),
    File::new("/api.js", SCRIPT, include_bytes!("../site/api.js")),
    File::new(
        "/appointments.js",
        SCRIPT,
        include_bytes!("../site/appointments.js"),
    ),
    File::new("/link.js", SCRIPT, include_bytes!("../site/link.js")),
    File::new("/live.js", SCRIPT, include_bytes!("../site/live.js")),
    File::new(
        "/combobox.js",
        SCRIPT,
        include_bytes!("../site/combobox.js"),
    ),
    File::new("/confirm.js", SCRIPT, include_bytes!("../site/confirm.js")),
    File::new("/docs.js", SCRIPT, include_bytes!("../site/docs.js")),
    File::new("/dom.js", SCRIPT, include_bytes!("../site/dom.js")),
    File::new(
        "/practitioner.js",
        SCRIPT,
        include_bytes!("../site/practitioner.js"),
    ),
    File::new("/search.js", SCRIPT, include_bytes!("../site/search.js")),
    File::new("/session.js", SCRIPT, include_bytes!("../site/session.js")),
    File::new("/time.js", SCRIPT, include_bytes!("../site/time.js")),
    File::new("/words.js", SCRIPT, include_bytes!("../site/words.js")),
    File::new("/cities.json", JSON, include_bytes!("../site/cities.json")),
    File::new(
        "/v1/openapi.json",
        JSON,
        include_bytes!("../site/openapi.json"),
    ),
    File::new("/favicon.svg", SVG, include_bytes!("../site/favicon.svg")),
    File::new(
        "/fonts/atkinson-latin.woff2",
        WOFF2,
        include_bytes!("../site/fonts/atkinson-latin.woff2"),
    ),
    File::new(
        "/fonts/atkinson-latin-ext.woff2",
        WOFF2,
        include_bytes!("../site/fonts/atkinson-latin-ext.woff2"),
    ),
    File::new(
        "/fonts/OFL.txt",
        TEXT,
        include_bytes!("../site/fonts/OFL.txt"),
    ),
];

/// FNV-1a, computed by the compiler.
const fn fnv1a(bytes: &[u8]) -> u64 {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    let mut at = 0;
    while at < bytes.len() {
        hash ^= bytes[at] as u64;
        hash = hash.wrapping_mul(0x0000_0100_0000_01b3);
        at += 1;
    }
    hash
}
