//! Makes cargo notice new migrations, which are compiled in by a macro that it cannot look into.

fn main() {
    println!("cargo::rerun-if-changed=migrations");
}
