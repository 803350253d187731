//! Putting everything back, in this process.

use super::{stored, world::World};
use crate::replay::put_back;
use std::time::Duration;

/// Puts everything back that can take effect now, and takes it away from where it was.
pub(super) fn everything(world: &World) {
    for (key, object) in stored(world).objects {
        let Some(back) = put_back(&key, &object) else { continue };
        if let Some((key, body)) = back.claimed {
            world.put(&key, body.bytes, body.metadata);
        }
        world.send(&back.group, &back.dedup_id, &back.text);
        world.bucket().remove(&key);
    }
    let dead = world.events().take_dead();
    for message in dead {
        let group = message.group.unwrap_or_default();
        world.send(&group, &format!("redrive-of-{}", message.message_id), &message.body);
    }
    let dead = world.commands().take_dead();
    dead.iter().for_each(|message| world.command(&message.body, Duration::ZERO));
}
