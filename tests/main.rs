//! Every test that runs from outside the crate, in one binary: linking once is quicker than ten
//! times, and `architecture` sees to it that no file beside this one is forgotten.

#![cfg(test)]

mod architecture;
mod cases;
mod cluster;
mod data;
mod go;
mod packaging;
mod policy;
mod walfile;
