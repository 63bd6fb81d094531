//! The migrations are compiled in: a new one makes the tests be built anew.

fn main() {
    println!("cargo:rerun-if-changed=../migrations");
}
