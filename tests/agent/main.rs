//! `prom-fix-agent` as a process, on data directories that Prometheus itself wrote and reads.

#![cfg(test)]

mod corruptions;
mod inventory;
