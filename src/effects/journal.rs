//! The receipt while it is being written: lock, source of truth and audit trail. A step is named
//! here before it is sent, and its end after; every write carries the resourceVersion of the one
//! before, so that two runs cannot both believe they hold it.

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::again::Again;
use super::approve::Approved;
use super::closed;
use super::cluster::Cluster;
use super::error::Error;
use super::fault::fault;
use super::local;
use crate::model::object::{Kind, ObjectExt, ObjectRef};
use crate::model::plan::{Plan, SCHEMA};
use crate::model::receipt::{
    self, DATA_KEY, MANAGED_BY, MANAGER, Progress, Receipt, STATE_LABEL, State, StepState,
};

/// Who carries a plan out, and with what.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Identity {
    pub who: String,
    pub context: String,
    pub server: String,
    /// Version of this program.
    pub version: String,
}

/// An open receipt, held by this run.
#[derive(Debug)]
pub struct Journal {
    receipt: Receipt,
    /// The ConfigMap as last written; none where it may not be created.
    stored: Option<Value>,
}

/// Earlier receipts kept under the same name: the same plan carried out again.
const HISTORY: usize = 5;
/// A ConfigMap holds 1 MiB; receipts that were there before give way first.
const ROOM_BYTES: usize = 900_000;

impl Journal {
    /// Opens the receipt of an approved plan, unless another is open for the same target.
    pub async fn begin(
        cluster: &Cluster,
        approved: &Approved,
        who: &Identity,
    ) -> Result<Journal, Error> {
        right_cluster(cluster, approved).await?;
        closed::check(approved)?;
        let receipt = fresh(approved, who);
        if let Some(open) = open_for(cluster, &receipt).await? {
            return Err(Error::Busy { receipt: Box::new(open) });
        }
        let mut journal = Journal { receipt, stored: None };
        journal.create(cluster).await?;
        // Two plans for one target may both have looked before either wrote. Whoever sees the
        // other now steps back; at worst both do.
        let others = match open_for(cluster, &journal.receipt).await {
            Ok(None) => Ok(()),
            Ok(Some(other)) => Err(Error::Busy { receipt: Box::new(other) }),
            Err(error) => Err(error),
        };
        if let Err(error) = others {
            return Err(match journal.withdraw(cluster).await {
                Ok(()) => error,
                Err(_) => journal.left_behind(&error),
            });
        }
        fault("journal-created");
        Ok(journal)
    }

    /// Takes up a receipt that was left behind. From here on the run that left it, should it
    /// still be at work, cannot write it any more.
    pub async fn open(cluster: &Cluster, receipt: &Receipt) -> Result<Journal, Error> {
        let at = place(&receipt.plan, &receipt.digest);
        let stored = match cluster.get(&at).await {
            Ok(stored) => stored,
            Err(Error::Forbidden { .. }) => None,
            Err(error) => return Err(error),
        };
        let current = match &stored {
            Some(map) => {
                Receipt::of_map(map).ok_or_else(|| Error::NotAReceipt { name: at.short() })?
            }
            None => cluster
                .keep
                .as_deref()
                .and_then(|folder| local::read(folder, &receipt.digest))
                .ok_or_else(|| Error::NoReceipt { digest: receipt.digest.clone() })?,
        };
        if current.began != receipt.began {
            return Err(Error::TakenOver { digest: receipt.digest.clone() });
        }
        let mut journal = Journal { receipt: current, stored };
        journal.save(cluster).await?;
        Ok(journal)
    }

    pub fn receipt(&self) -> &Receipt {
        &self.receipt
    }

    /// True where ConfigMaps may not be created here: the receipt is on this machine alone, and
    /// nobody else is told who is at work.
    pub fn local_only(&self) -> bool {
        self.stored.is_none()
    }

    /// Notes whether the proof was had, after all steps.
    pub async fn prove(&mut self, cluster: &Cluster, proved: bool) -> Result<(), Error> {
        self.receipt.proved = proved;
        self.save(cluster).await
    }

    pub(super) fn receipt_mut(&mut self) -> &mut Receipt {
        &mut self.receipt
    }

    /// The entry of a step of the plan, by its place in it.
    pub(super) fn step(&mut self, index: usize) -> &mut Progress {
        let steps = &mut self.receipt.steps;
        if steps.len() <= index {
            steps.resize_with(index + 1, Progress::default);
        }
        steps.get_mut(index).expect("it was just made long enough")
    }

    pub(super) async fn close(&mut self, cluster: &Cluster, state: State) -> Result<(), Error> {
        let before = (self.receipt.state, self.receipt.ended.clone());
        self.receipt.state = state;
        self.receipt.ended = Some(now());
        let saved = self.save(cluster).await;
        if saved.is_err() {
            // What the cluster has is what holds: it is still open there, as far as is known.
            (self.receipt.state, self.receipt.ended) = before;
        }
        saved
    }

    /// Writes the receipt where it is kept.
    pub(super) async fn save(&mut self, cluster: &Cluster) -> Result<(), Error> {
        self.copy(cluster)?;
        let Some(stored) = &self.stored else { return Ok(()) };
        let at = place(&self.receipt.plan, &self.receipt.digest);
        let body = map(&self.receipt, stored.pointer("/data"), Some(stored));
        // A lost answer leaves it open whether the receipt was written: look before giving up.
        let mut again = Again::default();
        loop {
            match cluster.replace(&at, &body).await {
                Ok(answer) => {
                    self.stored = Some(answer.object);
                    return Ok(());
                }
                Err(Error::Refused { status: 409, .. }) => {
                    let live = cluster.get(&at).await?.unwrap_or_default();
                    if live.pointer("/data") == body.pointer("/data") {
                        self.stored = Some(live);
                        return Ok(());
                    }
                    return Err(Error::TakenOver { digest: self.receipt.digest.clone() });
                }
                Err(Error::Refused { status: 404, .. }) => {
                    return Err(Error::NoReceipt { digest: self.receipt.digest.clone() });
                }
                Err(error) => again.after(error).await?,
            }
        }
    }

    /// Writes the ConfigMap for the first time; over a closed receipt of the same plan, which
    /// then becomes history. Without the right to, the local copy is the receipt.
    async fn create(&mut self, cluster: &Cluster) -> Result<(), Error> {
        let mut again = Again::default();
        let mut maybe_made = false;
        loop {
            match self.create_once(cluster, maybe_made).await {
                Ok(made) => {
                    self.stored = made;
                    return self.copy(cluster);
                }
                Err(error) if error.is_transient() => {
                    maybe_made = true;
                    let left = |error| self.left_behind(&error);
                    again.after(error).await.map_err(left)?;
                }
                Err(error) => return Err(error),
            }
        }
    }

    async fn create_once(
        &self,
        cluster: &Cluster,
        maybe_made: bool,
    ) -> Result<Option<Value>, Error> {
        let at = place(&self.receipt.plan, &self.receipt.digest);
        match cluster.create(&at, &map(&self.receipt, None, None), false).await {
            Ok(answer) => Ok(Some(answer.object)),
            Err(Error::Forbidden { .. }) => Ok(None),
            Err(Error::Refused { status: 409, .. }) => {
                let old = cluster.get(&at).await?.unwrap_or_default();
                let before = Receipt::of_map(&old);
                let before = before.ok_or_else(|| Error::NotAReceipt { name: at.short() })?;
                if maybe_made && before == self.receipt {
                    return Ok(Some(old));
                }
                if before.state == State::Open {
                    return Err(Error::Busy { receipt: Box::new(before) });
                }
                let body = map(&self.receipt, Some(&aged(&old)), Some(&old));
                cluster.replace(&at, &body).await.map(|answer| Some(answer.object))
            }
            Err(error) => Err(error),
        }
    }

    /// Of a receipt under which nothing was done, and of which it is not known whether it is there.
    fn left_behind(&self, error: &Error) -> Error {
        Error::LeftBehind {
            digest: self.receipt.digest.clone(),
            namespace: self.receipt.plan.target.namespace.clone(),
            why: error.whole(),
        }
    }

    /// Writes the copy on this machine. It matters only where it is the only one.
    fn copy(&self, cluster: &Cluster) -> Result<(), Error> {
        let copied = match &cluster.keep {
            Some(folder) => local::write(folder, &self.receipt),
            None => Err(Error::NoFolder),
        };
        if self.stored.is_some() { Ok(()) } else { copied }
    }

    /// Takes back a receipt under which nothing was done.
    async fn withdraw(&mut self, cluster: &Cluster) -> Result<(), Error> {
        if let Some(stored) = &self.stored {
            let at = place(&self.receipt.plan, &self.receipt.digest);
            cluster.delete(&at, stored.uid(), false).await?;
        }
        if let Some(folder) = &cluster.keep {
            local::remove(folder, &self.receipt.digest);
        }
        Ok(())
    }
}

/// Every receipt of a namespace, or of all, newest first; with what an earlier run of the same
/// plan left.
pub async fn receipts(cluster: &Cluster, namespace: Option<&str>) -> Result<Vec<Receipt>, Error> {
    let labels = format!("{MANAGED_BY}={MANAGER}");
    let maps = cluster.list(Kind::ConfigMap, namespace, &labels).await?;
    let mut receipts: Vec<Receipt> = maps
        .iter()
        .filter_map(|map| map.pointer("/data")?.as_object())
        .flat_map(Map::iter)
        .filter(|(key, _)| key.starts_with("receipt"))
        .filter_map(|(_, text)| serde_json::from_str(text.as_str()?).ok())
        .collect();
    local::sort(&mut receipts);
    Ok(receipts)
}

/// Now, to the second, as receipts write it.
pub(super) fn now() -> String {
    Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

fn fresh(plan: &Plan, who: &Identity) -> Receipt {
    let Identity { who, context, server, version } = who.clone();
    Receipt {
        api_version: SCHEMA.into(),
        digest: plan.digest(),
        plan: plan.clone(),
        state: State::Open,
        proved: false,
        who,
        context,
        server,
        version,
        began: now(),
        ended: None,
        steps: plan.steps.iter().map(|_| Progress::default()).collect(),
        undone: Vec::new(),
        held: None,
        freed: None,
    }
}

/// Where the receipt of a plan lives.
fn place(plan: &Plan, digest: &str) -> ObjectRef {
    ObjectRef::new(Kind::ConfigMap, &plan.target.namespace, &receipt::name(digest))
}

/// The ConfigMap of a receipt, beside whatever `data` holds already.
fn map(receipt: &Receipt, data: Option<&Value>, stored: Option<&Value>) -> Value {
    let state = match receipt.state {
        State::Open => "open",
        State::Applied => "applied",
        State::Undone => "undone",
    };
    let mut metadata = json!({
        "name": receipt::name(&receipt.digest),
        "namespace": receipt.plan.target.namespace,
        "labels": {MANAGED_BY: MANAGER, STATE_LABEL: state},
    });
    if let (Some(stored), Some(metadata)) = (stored, metadata.as_object_mut()) {
        metadata.insert("resourceVersion".into(), json!(stored.text("/metadata/resourceVersion")));
        metadata.insert("uid".into(), json!(stored.uid()));
    }
    let mut data = data.and_then(Value::as_object).cloned().unwrap_or_default();
    data.insert(DATA_KEY.into(), json!(json!(receipt).to_string()));
    let size = |data: &Map<String, Value>| -> usize {
        data.values().filter_map(Value::as_str).map(str::len).sum()
    };
    for place in (1..=HISTORY).rev() {
        if size(&data) > ROOM_BYTES {
            data.remove(&format!("receipt-{place}.json"));
        }
    }
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data})
}

/// The data of a closed receipt as history: what was current becomes number 1, the oldest goes.
fn aged(old: &Value) -> Value {
    let name = |place: usize| match place {
        0 => DATA_KEY.to_owned(),
        _ => format!("receipt-{place}.json"),
    };
    let mut data = Map::new();
    for place in 0..HISTORY {
        if let Some(text) = old.pointer("/data").and_then(|data| data.get(name(place))) {
            data.insert(name(place + 1), text.clone());
        }
    }
    Value::Object(data)
}

/// Another receipt that is open for the same target. Without the right to list, what this
/// machine knows.
pub(super) async fn open_for(cluster: &Cluster, mine: &Receipt) -> Result<Option<Receipt>, Error> {
    let found = match receipts(cluster, Some(&mine.plan.target.namespace)).await {
        Ok(found) => found,
        Err(Error::Forbidden { .. }) => {
            cluster.keep.as_deref().map(local::read_all).unwrap_or_default()
        }
        Err(error) => return Err(error),
    };
    let same_run = |other: &Receipt| other.digest == mine.digest && other.began == mine.began;
    Ok(found.into_iter().find(|other| {
        other.state == State::Open
            && other.plan.target_uid == mine.plan.target_uid
            // The one that this takes back.
            && mine.plan.undoes.as_ref() != Some(&other.digest)
            && !same_run(other)
    }))
}

/// A plan made for one cluster must not meet another that has objects of the same names.
pub async fn right_cluster(cluster: &Cluster, plan: &Plan) -> Result<(), Error> {
    match cluster.get(&ObjectRef::new(Kind::Namespace, "", "kube-system")).await {
        Ok(Some(found)) if found.uid() != plan.cluster => Err(Error::OtherCluster {
            planned: plan.cluster.clone(),
            found: found.uid().to_owned(),
        }),
        // Where it may not be read, the uids that each step tests still hold the plan to its
        // objects.
        Ok(_) | Err(Error::Forbidden { .. }) => Ok(()),
        Err(error) => Err(error),
    }
}

/// Whether a step may have changed something.
pub(super) fn may_have_happened(progress: &Progress) -> bool {
    matches!(progress.state, StepState::Began | StepState::Did)
}
