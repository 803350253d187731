//! The simulator as its users see it.

use crate::{
    calendar::{CalendarEntry, CalendarPlan},
    knobs::Knobs,
    plan::BotPlan,
    request::{Request, Violation},
    rest,
    results::results,
    server,
    truth::Truth,
    webhook::Webhook,
    world::{BotState, CalendarState, Faults, World},
};
use shared::{Provider, SenderId, SessionId};
use std::{
    collections::BTreeMap,
    io,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use tokio::{net::TcpListener, task::JoinHandle};

/// A MeetStream and a Meeting BaaS with their APIs on loopback. Dropping it ends them.
///
/// ```no_run
/// # async fn example() -> std::io::Result<()> {
/// use shared::Endpoint;
/// use simulator::{BotPlan, Knobs, Simulator};
///
/// let simulator = Simulator::start(Knobs::default()).await?;
/// let bot = simulator.add_bot(BotPlan::new(Endpoint::MeetStream, "b-1"));
/// // … let something fetch from `simulator.meetstream_url` …
/// assert!(simulator.violations().is_empty());
/// println!("{:?}", bot.truth().artifacts);
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Simulator {
    /// Base URL of `MeetStream`'s API, as in `https://api.meetstream.ai/api/v1`.
    pub meetstream_url: String,
    /// Base URL of the API of Meeting BaaS, as in `https://api.meetingbaas.com`.
    pub meetingbaas_url: String,
    /// What presigned URLs begin with.
    pub files_url: String,
    world: Arc<Mutex<World>>,
    hosts: [JoinHandle<()>; 2],
}

/// A bot in the simulator.
#[derive(Clone, Debug)]
pub struct Bot {
    id: (Provider, String),
    plan: Arc<BotPlan>,
    world: Arc<Mutex<World>>,
}

/// A calendar in the simulator.
#[derive(Clone, Debug)]
pub struct Calendar {
    id: String,
    world: Arc<Mutex<World>>,
}

impl Drop for Simulator {
    fn drop(&mut self) {
        for host in &self.hosts {
            host.abort();
        }
    }
}

impl Simulator {
    /// Starts both hosts, on ports that are free.
    ///
    /// # Errors
    /// When there are none.
    pub async fn start(knobs: Knobs) -> io::Result<Self> {
        Self::start_on(0, knobs).await
    }

    /// Starts the APIs on this port, and the host of presigned URLs on the next one; on free ones if it is 0.
    ///
    /// # Errors
    /// When they are taken.
    pub async fn start_on(port: u16, knobs: Knobs) -> io::Result<Self> {
        let next = if port == 0 { 0 } else { port.saturating_add(1) };
        let listen = |port| TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], port)));
        let (api, files) = (listen(port).await?, listen(next).await?);
        let (api_url, files_url) = (format!("http://{}", api.local_addr()?), format!("http://{}", files.local_addr()?));
        let world = Arc::new(Mutex::new(World::new(knobs, api_url.clone(), files_url.clone())));
        let hosts = [
            server::serve(api, Arc::clone(&world), rest::call),
            server::serve(files, Arc::clone(&world), rest::download),
        ];
        Ok(Self { meetstream_url: format!("{api_url}/api/v1"), meetingbaas_url: api_url, files_url, world, hosts })
    }

    /// Adds a bot whose meeting is over, in place of one with the same id.
    pub fn add_bot(&self, plan: BotPlan) -> Bot {
        let id = (plan.provider(), plan.bot_id.clone());
        self.world().bots.insert(id.clone(), BotState::new(plan.clone()));
        Bot { id, plan: Arc::new(plan), world: Arc::clone(&self.world) }
    }

    /// Adds a calendar, in place of one with the same id.
    pub fn add_calendar(&self, plan: CalendarPlan) -> Calendar {
        let id = plan.calendar_id.clone();
        let faults = Faults::new(&plan.faults);
        self.world().calendars.insert(id.clone(), CalendarState { plan, faults });
        Calendar { id, world: Arc::clone(&self.world) }
    }

    /// Everything that was asked of both hosts so far, in order.
    #[must_use]
    pub fn requests(&self) -> Vec<Request> {
        self.world().requests.clone()
    }

    /// What was asked and must never be, in order.
    #[must_use]
    pub fn violations(&self) -> Vec<Violation> {
        self.world().requests.iter().filter_map(|request| request.violation.clone()).collect()
    }

    /// What the APIs did wrong so far, by [`PlannedFault::kind`](crate::PlannedFault::kind), and how often.
    #[must_use]
    pub fn faults(&self) -> BTreeMap<String, u64> {
        let world = self.world();
        let of_bots = world.bots.values().map(|bot| &bot.faults);
        let of_calendars = world.calendars.values().map(|calendar| &calendar.faults);
        let mut faults = BTreeMap::new();
        for (planned, times) in of_bots.chain(of_calendars).chain([&world.faults]).flat_map(Faults::happened) {
            *faults.entry(planned.kind()).or_default() += u64::from(times);
        }
        faults
    }

    /// Lets all presigned URLs that were handed out so far expire.
    pub fn expire_urls(&self) {
        self.world().presigner.expire();
    }

    /// What calls of the APIs have made the providers send since this was last asked.
    #[must_use]
    pub fn take_outbox(&self) -> Vec<Webhook> {
        std::mem::take(&mut self.world().outbox)
    }

    fn world(&self) -> MutexGuard<'_, World> {
        lock(&self.world)
    }
}

impl Bot {
    /// What it goes through.
    #[must_use]
    pub fn plan(&self) -> &BotPlan {
        &self.plan
    }

    /// The session that its deliveries make; `None` if its id can be none.
    #[must_use]
    pub fn session_id(&self) -> Option<SessionId> {
        let id = SenderId::try_from(self.plan.bot_id.as_str()).ok()?;
        Some(SessionId::bot(self.plan.provider(), id))
    }

    /// What really happened to it. It takes as long as hashing its recordings takes.
    #[must_use]
    pub fn truth(&self) -> Truth {
        Truth::of(&self.plan)
    }

    /// Begins its meeting anew: nothing has happened yet.
    pub fn rewind(&self) {
        self.change(|state| state.happened = 0);
    }

    /// Lets the next step happen. What tells of it on each channel is returned, with presigned URLs made at this moment;
    /// `None` when everything has happened.
    #[must_use]
    pub fn step(&self) -> Option<Vec<Webhook>> {
        let mut world = lock(&self.world);
        let state = world.bots.get_mut(&self.id)?;
        let step = *state.steps.get(state.happened)?;
        state.happened += 1;
        let state = state.clone();
        let results = results(&world, &state, state.plan.stale_webhook_urls);
        let channels = state.plan.channels.iter();
        Some(channels.filter_map(|channel| Webhook::of(&state.plan, *channel, step, Some(&results))).collect())
    }

    /// Everything that is told of its meeting, in order. Afterwards its meeting is over.
    #[must_use]
    pub fn webhooks(&self) -> Vec<Webhook> {
        self.rewind();
        std::iter::from_fn(|| self.step()).flatten().collect()
    }

    fn change(&self, change: impl FnOnce(&mut BotState)) {
        if let Some(state) = lock(&self.world).bots.get_mut(&self.id) {
            change(state);
        }
    }
}

impl Calendar {
    /// The provider's id of it.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Puts an entry in, in place of one with the same id, and says what is told of that.
    #[must_use]
    pub fn put(&self, entry: CalendarEntry) -> Option<Webhook> {
        Some(lock(&self.world).calendars.get_mut(&self.id)?.plan.put(entry))
    }
}

fn lock(world: &Mutex<World>) -> MutexGuard<'_, World> {
    world.lock().unwrap_or_else(PoisonError::into_inner)
}
