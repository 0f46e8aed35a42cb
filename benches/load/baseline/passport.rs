//! Nexus and login that only move bytes: fixed answers as long as real ones, one request to a
//! connection.

use std::{cell::RefCell, io::ErrorKind};
use tokio::{
    net::{TcpListener, TcpStream},
    task::spawn_local,
};

/// Bytes read at once.
const READ_BYTES: usize = 16 * 1024;

thread_local! {
    static SCRATCH: RefCell<Box<[u8]>> = RefCell::new(vec![0; READ_BYTES].into());
}

const NEXUS: &[u8] = b"\
HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nCache-Control: private\r\nPassportURLs: \
DARealm=Passport.Net,DALogin=login.passport.com/login2.srf,\
DAReg=http://login.passport.com/register,Properties=http://login.passport.com/account,\
Privacy=http://login.passport.com/privacy,GeneralRedir=http://login.passport.com/redir,\
Help=http://login.passport.com/help,ConfigVersion=3\r\nContent-Length: 0\r\n\
Connection: close\r\n\r\n";

const LOGIN: &[u8] = b"\
HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nCache-Control: no-cache\r\nAuthentication-Info: \
Passport1.4 da-status=success,from-PP='t=0000000000000000000000000000000000000000000\
&p=0000000000000000000000000000000000000000000',\
ru=http://messenger.msn.com\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";

/// Accepts for ever.
pub(super) async fn serve(listener: TcpListener) {
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        stream.set_nodelay(true).unwrap();
        spawn_local(answer(stream));
    }
}

/// A request comes in one piece here, and what answers it goes out in one.
async fn answer(stream: TcpStream) {
    while stream.readable().await.is_ok() {
        let answer = SCRATCH.with_borrow_mut(|scratch| match stream.try_read(scratch) {
            Ok(0) => None,
            Ok(read) if scratch[..read].starts_with(b"GET /rdr") => Some(NEXUS),
            Ok(_) => Some(LOGIN),
            Err(error) if error.kind() == ErrorKind::WouldBlock => Some(&b""[..]),
            Err(_) => None,
        });
        match answer {
            Some(b"") => {}
            Some(answer) => {
                let _ = stream.try_write(answer);
                return;
            }
            None => return,
        }
    }
}
