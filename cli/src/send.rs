//! `rollcall send`, in its two ways.

use crate::{event::Event, failure::Failure, meeting::Meeting, screen::Style, stack::StackArgs};
use clap::{Args, Subcommand};

/// Send deliveries as MeetStream or Meeting BaaS would, proved with the stack's own credentials
#[derive(Args, Clone, Debug)]
pub struct Send {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand, Clone, Debug)]
enum What {
    Event(Event),
    Meeting(Meeting),
}

impl Send {
    pub async fn run(self, stack_args: &StackArgs, style: Style) -> Result<(), Failure> {
        match self.what {
            What::Event(event) => event.run(stack_args, style).await,
            What::Meeting(meeting) => meeting.run(stack_args, style).await,
        }
    }
}
