//! A task for each connection that waits to read, and sends back what it reads. What any server
//! made with tokio needs for somebody who is silent.

use std::io::ErrorKind;
use tokio::{
    net::{TcpListener, TcpStream},
    task::spawn_local,
};

/// Accepts for ever.
pub(super) async fn serve(listener: TcpListener) {
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        stream.set_nodelay(true).unwrap();
        spawn_local(echo(stream));
    }
}

async fn echo(stream: TcpStream) {
    while stream.readable().await.is_ok() {
        if !answer(&stream) {
            break;
        }
    }
}

/// Whether it goes on. No future holds the buffer.
fn answer(stream: &TcpStream) -> bool {
    let mut buffer = [0; 256];
    match stream.try_read(&mut buffer) {
        Ok(0) => false,
        Ok(read) => stream.try_write(&buffer[..read]).is_ok(),
        Err(error) => error.kind() == ErrorKind::WouldBlock,
    }
}
