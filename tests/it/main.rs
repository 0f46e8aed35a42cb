//! Everything that needs a whole service and real sockets, in one binary.

mod passport;
