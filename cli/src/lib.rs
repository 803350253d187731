//! What an operator types. Every command is a file of that name.
//!
//! A command is an edge around a pure middle: [`stack`] says where to connect, [`table`], [`bucket`] and [`queue`] reach what
//! is there, and the crate `simulator` composes and sends as the providers do; [`timeline::report`], [`sessions`],
//! [`replay::content`] and [`screen`] decide what is shown.
//!
//! # Invariants
//! - The functions do not need any of this, and this changes nothing in the table: it reads it, it sends deliveries through
//!   the front door, it puts back into the queue what was accepted there before, and it asks the functions to delete. The one
//!   exception is an item of an invented bot, by which [`doctor`] makes a delivery fail for some seconds.
//! - What is put back is removed from where it was only when the queue has confirmed it ([`replay`]).
//! - A body is printed only by `show`.
//! - A secret is read only by a command that needs it, and printed only where that is the command's purpose.
//! - A sender's text reaches a terminal only through [`escape`].

pub mod apis;
pub mod artifacts;
pub mod bot;
pub mod bucket;
pub mod command;
pub mod curl;
pub mod delete;
pub mod dlq;
pub mod doctor;
pub mod escape;
pub mod event;
pub mod failure;
mod invoke;
pub mod meeting;
pub mod queue;
pub mod replay;
pub mod route;
pub mod screen;
pub mod send;
pub mod sessions;
pub mod set_aside;
pub mod settings;
pub mod simulate;
pub mod stack;
pub mod status;
pub mod table;
pub mod timeline;
pub mod transcript;
pub mod urls;
mod words;
