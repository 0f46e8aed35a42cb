//! The welcome robot: somebody to talk to for the first users of a fresh server. An ordinary
//! account whose client lives in this process: a member of the hub with a presence, called with a
//! cookie as everybody is, seated in rooms beside everybody. Adds nobody and starts nothing by
//! itself. Knows no socket and no line of the notification role.

mod account;
mod conversation;
pub mod limits;
mod words;

use crate::{
    config,
    hub::{self, Event, Facts, Hub, Inbox, Member, Person, Ring, SessionId},
    model::{Address, Dialect, Presence, Status},
    store::{
        EditError, Store, StoreError,
        password::{HasherError, PasswordError, PasswordHasher},
    },
    switchboard,
};
use conversation::Guest;
use limits::{ANSWERS_IN_ALL_MAX, Pace, Places, WINDOW};
use parking_lot::Mutex;
use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};
use tokio::{select, time::sleep};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use words::Words;

/// The role of its session, as operators see it.
const NAME: &str = "welcome";
/// How often its lists may change while it signs in.
const STALE_READS_MAX: usize = 16;

/// What the robot lives in.
pub struct Surroundings {
    /// Where its account is.
    pub store: Arc<dyn Store>,
    /// Where it is seen.
    pub hub: Hub,
    /// Where it talks.
    pub switchboard: Arc<switchboard::Context>,
    /// Hashes the password that nobody knows.
    pub hasher: Arc<PasswordHasher>,
    /// What it does runs on this.
    pub tasks: TaskTracker,
    /// Cancelled when nobody is let in any more.
    pub closing: CancellationToken,
    /// Cancelled when everybody must go.
    pub draining: CancellationToken,
    /// The number of its next session, one that no connection has.
    pub next_session: Box<dyn Fn() -> SessionId + Send + Sync>,
}

/// Why the robot cannot sign in.
#[derive(Debug, thiserror::Error)]
pub enum WelcomeError {
    /// Its account cannot be read or made.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Its account cannot be changed.
    #[error(transparent)]
    Edit(#[from] EditError),
    /// Its password cannot be hashed.
    #[error(transparent)]
    Hasher(#[from] HasherError),
    /// Its password is none.
    #[error(transparent)]
    Password(#[from] PasswordError),
    /// There are no random numbers.
    #[error(transparent)]
    Random(#[from] getrandom::Error),
    /// Its lists were edited whenever they had been read.
    #[error("its lists change too often")]
    Restless,
}

/// The robot.
pub struct Welcome {
    address: Address,
    options: config::Welcome,
    hub: Hub,
    store: Arc<dyn Store>,
    guest: Guest,
    places: Places,
    tasks: TaskTracker,
    closing: CancellationToken,
    draining: CancellationToken,
    next_session: Box<dyn Fn() -> SessionId + Send + Sync>,
}

/// The robot while it is signed in.
struct Session {
    /// Dropping it signs out.
    _member: Member,
    inbox: Inbox,
}

impl Welcome {
    /// Makes the account `address` if it is missing, signs in to it, and stays until the server
    /// drains. When this returns, whoever may see the robot sees it; but not if the account may not
    /// sign in, which is looked at again from time to time.
    ///
    /// # Errors
    /// [`WelcomeError`]; nothing runs then.
    pub async fn start(
        address: Address,
        options: &config::Welcome,
        surroundings: Surroundings,
    ) -> Result<(), WelcomeError> {
        let Surroundings {
            store,
            hub,
            switchboard,
            hasher,
            tasks,
            closing,
            draining,
            next_session,
        } = surroundings;
        if account::make(&*store, &hasher, &address, options).await? {
            tracing::info!(user = %address, "made the account of the welcome robot");
        }
        let guest = Guest {
            address: address.clone(),
            hub: hub.clone(),
            store: store.clone(),
            switchboard,
            words: Arc::new(Words::new(options)),
            pace_in_all: Arc::new(Mutex::new(Pace::new(ANSWERS_IN_ALL_MAX, WINDOW))),
            closing: closing.clone(),
            draining: draining.clone(),
        };
        let (options, places) = (options.clone(), Places::default());
        let robot = Self {
            address,
            options,
            hub,
            store,
            guest,
            places,
            tasks,
            closing,
            draining,
            next_session,
        };
        let session = robot.sign_in().await?;
        let tasks = robot.tasks.clone();
        tasks.spawn(robot.live(session));
        Ok(())
    }

    /// Attends to its session, and to the next one, until the server drains or the account is gone.
    async fn live(self, mut session: Option<Session>) {
        let user = &self.address;
        let pause = Duration::from_secs(self.options.return_secs);
        loop {
            if let Some(session) = session.take() {
                let Some(why) = self.attend(session).await else { return };
                tracing::warn!(%user, "the welcome robot is out, since {why}; it will be back");
            }
            select! {
                () = self.closing.cancelled() => return,
                () = sleep(pause) => {}
            }
            match self.sign_in().await {
                Ok(signed_in) => session = signed_in,
                Err(WelcomeError::Store(StoreError::NotFound)) => {
                    tracing::warn!(%user, "the welcome robot's account was removed; the next start \
                        makes it again");
                    return;
                }
                Err(error) => tracing::warn!(%user, "the welcome robot cannot sign in: {error:#}"),
            }
        }
    }

    /// Answers calls until the session ends; `None` if that is because the server goes down.
    async fn attend(&self, mut session: Session) -> Option<&'static str> {
        loop {
            let event = select! {
                biased;
                () = self.draining.cancelled() => return None,
                event = session.inbox.recv(true) => event,
            };
            match event {
                Some(Event::Ring(ring)) => self.answer(ring),
                Some(Event::Replaced) => return Some("somebody signed in to its account"),
                Some(Event::Expelled) => return Some("its account was disabled or removed"),
                Some(Event::Kicked) => return Some("an operator ended its session"),
                None => return Some("its inbox was full"),
                Some(
                    Event::Online(_)
                    | Event::Offline(_)
                    | Event::List(_)
                    | Event::Alert(_)
                    | Event::Mail(_)
                    | Event::Page(_)
                    | Event::ShutdownNotice { .. }
                    | Event::Rest(_),
                ) => {}
            }
        }
    }

    fn answer(&self, ring: Arc<Ring>) {
        let Some(place) = self.places.take(ring.caller.id) else {
            tracing::debug!(room = %ring.room, caller = %ring.caller.address,
                "the welcome robot is in as many conversations as it may be");
            return;
        };
        self.tasks.spawn(self.guest.clone().answer(ring, place));
    }

    /// A session with a presence; `None` if the account may not sign in, or somebody else has: who
    /// has the password is not thrown out by a robot.
    async fn sign_in(&self) -> Result<Option<Session>, WelcomeError> {
        let account = self.store.account(&self.address).await?;
        let user = &self.address;
        if !account.enabled {
            tracing::warn!(%user, "the welcome robot's account is disabled");
            return Ok(None);
        }
        if self.hub.online().contains(&account.id) {
            tracing::debug!(%user, "somebody else is signed in to the welcome robot's account");
            return Ok(None);
        }
        let session = (self.next_session)();
        let arrival = self.hub.expect(account.id);
        for _ in 0..STALE_READS_MAX {
            let read = self.store.sign_in(account.id).await?;
            let address = read.account.address.clone();
            let person = Person::new(account.id, address, read.account.name.clone());
            let (hub, by) = (self.hub.clone(), person.clone());
            let publish = move |applied: &_| drop(hub.apply(applied, &by, session));
            if account::adapt(&*self.store, &read, &self.options, publish).await? {
                continue;
            }
            let (circle, version) = (read.circle, read.account.list_version);
            let sign_in = hub::SignIn { session, person, circle, version, facts: facts() };
            if let Ok((member, inbox)) = arrival.sign_in(sign_in) {
                // It has nobody on its list; who is there does not matter to it.
                let _entered = member.set_presence(presence());
                tracing::info!(session.id = %session, %user, "the welcome robot is online");
                return Ok(Some(Session { _member: member, inbox }));
            }
        }
        Err(WelcomeError::Restless)
    }
}

/// Online, without a picture and without any capability: nobody offers it games or files.
fn presence() -> Presence {
    Presence { status: Status::Online, client_id: 0, object: None }
}

/// It takes no alerts and no pages, as in MSNP8, so that no one is told that it got one.
fn facts() -> Arc<Facts> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    Arc::new(Facts {
        role: NAME,
        dialect: Dialect::Msnp8,
        client_version: None,
        peer: SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0)),
        signed_in_at_secs: now.map_or(0, |elapsed| elapsed.as_secs()),
    })
}
