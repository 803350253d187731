//! `rollcall send`, in its two ways.

use crate::{event::Event, failure::Failure, meeting::Meeting, screen::Style, stack::StackArgs};
use clap::Subcommand;

#[derive(Subcommand, Clone, Debug)]
pub enum Send {
    Event(Event),
    Meeting(Meeting),
}

impl Send {
    pub async fn run(self, stack_args: &StackArgs, style: Style) -> Result<(), Failure> {
        match self {
            Self::Event(event) => event.run(stack_args, style).await,
            Self::Meeting(meeting) => meeting.run(stack_args, style).await,
        }
    }
}
