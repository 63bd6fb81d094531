//! The migrations are compiled in: a new one makes the host be built anew.

fn main() {
    println!("cargo:rerun-if-changed=../migrations");
}
