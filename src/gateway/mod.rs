//! x

#[allow(unused)]
mod session;
#[allow(unused)]
mod tunnel;
