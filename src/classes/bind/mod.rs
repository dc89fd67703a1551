//! The class `bind`: where Prometheus listens, and whether probes and Services lead there.

mod check;
mod client;
mod docs;
mod fix;
mod needs;
mod path;

use super::{Class, Given, Job};
use crate::model::plan::Look;
use crate::model::{CodeDoc, Finding, Need, Next, ObjectRef, Path, Snapshot, Verdict};
use crate::subject::{Subject, repair};

pub struct Bind;

impl Class for Bind {
    fn name(&self) -> &'static str {
        "bind"
    }

    fn about(&self) -> &'static str {
        "Up, and not reached: address, ports, probes, Services, policies, TLS"
    }

    fn docs(&self) -> &'static [CodeDoc] {
        docs::DOCS
    }

    fn examples(&self) -> &'static str {
        EXAMPLES
    }

    fn options(&self, command: clap::Command) -> clap::Command {
        let secrets = clap::Arg::new(SECRETS)
            .long(SECRETS)
            .action(clap::ArgAction::SetTrue)
            .requires(CLIENT)
            .help(
                "Read the Secrets that provision the client (a Grafana), and of them the address \
                 of each Prometheus alone",
            );
        command.arg(secrets).arg(
            clap::Arg::new(CLIENT)
                .long(CLIENT)
                .value_name("[NS/]KIND/NAME")
                .value_parser(|text: &str| client::parse(text, "x").map(|_| text.to_owned()))
                .help(
                    "The workload that cannot reach Prometheus, e.g. monitoring/deploy/grafana: \
                       the way from it, whether policies let it through, and the URL it has",
                ),
        )
    }

    fn job<'a>(&self, subject: &'a Subject, given: &'a Given) -> Box<dyn Job + 'a> {
        let named = given.get(CLIENT).map(|text| client::parse(text, subject.namespace()));
        let secrets = given.contains_key(SECRETS);
        Box::new(Work { subject, client: named.and_then(Result::ok), secrets })
    }
}

const EXAMPLES: &str = "

The way to its pods is told step by step, the first broken one marked:
  kubectl prom-fix bind sts/prometheus -n mon               from any pod, the kubelet, an Ingress
  kubectl prom-fix bind sts/prometheus -n mon --client apps/deploy/grafana
                                                        from that workload, up to the URL it has
  kubectl prom-fix bind sts/prometheus -n mon --inspect     where a pod's address refuses, a
                                                        port-forward asks its loopback
  kubectl prom-fix bind sts/prometheus -n mon --client apps/deploy/grafana --inspect
                                                        one pod with that client's labels asks, for
                                                        rules that only a network plugin can judge";

/// The option that names a client.
const CLIENT: &str = "client";
/// The option that allows to read Secrets.
const SECRETS: &str = "read-secrets";

struct Work<'a> {
    subject: &'a Subject,
    client: Option<ObjectRef>,
    secrets: bool,
}

impl Job for Work<'_> {
    fn needs(&self, seen: &Snapshot) -> Vec<Need> {
        let mut out = needs::needs(self.subject, seen, self.client.as_ref());
        if let Some(client) = self.client.as_ref().filter(|_| self.secrets) {
            out.extend(check::sources::secret_needs(seen, client));
        }
        if let Some(client) = &self.client {
            out.extend(check::stand_in::needs(self.subject, seen, client));
        }
        out
    }

    fn needs_to_prove(&self, seen: &Snapshot) -> Vec<Need> {
        needs::to_prove(self.subject, seen, self.client.as_ref())
    }

    fn needs_when_asked(&self, seen: &Snapshot) -> Vec<Need> {
        needs::when_asked(self.subject, seen)
    }

    fn check(&self, seen: &Snapshot) -> Verdict {
        check::check(self.subject, seen, self.client.as_ref())
    }

    fn paths(&self, seen: &Snapshot, found: &[Finding]) -> Vec<Path> {
        path::paths(self.subject, seen, found, self.client.as_ref())
    }

    fn needs_to_fix(&self, seen: &Snapshot, found: &[Finding]) -> Vec<Need> {
        if fix::root(found).is_some() { repair::needs(self.subject, seen) } else { Vec::new() }
    }

    fn look(&self, seen: &Snapshot) -> Option<Look> {
        let client = self.client.as_ref()?;
        let scene = check::policies::scene(self.subject, seen, client).ok()?;
        check::stand_in::look(self.subject, seen, client, &scene)
    }

    fn next(&self, seen: &Snapshot, found: &[Finding]) -> Next {
        fix::next(self.subject, seen, found, self.client.as_ref())
    }
}
