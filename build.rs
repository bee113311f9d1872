//! Gives the shared library its soname, which cargo does not set by itself.

/// The number in `libshmrr.so.N`: raised when a program built against an older header would no longer work.
const ABI: u32 = 0;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rustc-cdylib-link-arg=-Wl,-soname,libshmrr.so.{ABI}");
    println!("cargo::rustc-env=SHMRR_ABI={ABI}");
}
