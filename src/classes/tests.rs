//! From what was read to the root cause, over all classes: a line or a state, and the one code
//! that it is called by. Look-alikes stand beside each other.

mod budget;
mod client;
mod counted;
mod danger;
mod denied;
mod discovery;
mod fixture;
mod full;
mod instants;
mod inventory;
mod lines;
mod locked;
mod lockless;
mod mesh;
mod outwards;
mod owned;
mod past;
mod paths;
mod reach;
mod repairs;
mod replay;
mod slow;
mod stand_in;
mod states;
mod storage;
mod uploads;
