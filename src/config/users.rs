//! Users and groups, by number or by name.

use nix::unistd::{Group, User};
use toml::de::DeValue;

use super::section::Section;

/// 4294967295 means "no user" in every system call.
const UID_MAX: u64 = 4_294_967_294;
const NAME_BYTES_MAX: usize = 64;

/// The users that `key` lists, each once, as numbers; none if it is not there. Names are looked up where the machine
/// looks up its users, at this moment.
pub(super) fn uids(section: &mut Section<'_, '_>, key: &'static str) -> Vec<u32> {
    let Some(value) = section.value(key) else { return Vec::new() };
    let takes = format!("an array of users, each a name or an integer from 0 to {UID_MAX}");
    let Some(array) = value.get_ref().as_array() else {
        section.refuse(key, value, &takes);
        return Vec::new();
    };
    let mut uids = Vec::new();
    for entry in array.iter() {
        match uid(entry.get_ref()) {
            Ok(uid) if uids.contains(&uid) => {}
            Ok(uid) => uids.push(uid),
            Err(UidError::NotAUser) => section.refuse(key, entry, &takes),
            Err(UidError::Unknown(name)) => {
                section.problem_at(key, entry, &format!("names the user {name:?}, whom this machine does not know"));
            }
            Err(UidError::Io(name, error)) => {
                section.problem_at(key, entry, &format!("names the user {name:?}, who cannot be looked up: {error}"));
            }
        }
    }
    uids
}

/// Refuses a group that this machine does not know, before a store is made for it.
pub(super) fn look_up_group(section: &mut Section<'_, '_>, key: &str, group: &str) {
    if group.parse::<u32>().is_ok() {
        return;
    }
    match Group::from_name(group) {
        Ok(Some(_)) => {}
        Ok(None) => section.problem(key, format!("names the group {group:?}, which this machine does not know")),
        Err(error) => section.problem(key, format!("names the group {group:?}, which cannot be looked up: {error}")),
    }
}

enum UidError {
    NotAUser,
    Unknown(String),
    Io(String, nix::Error),
}

fn uid(value: &DeValue<'_>) -> Result<u32, UidError> {
    if let Some(integer) = value.as_integer() {
        let number = u64::from_str_radix(integer.as_str(), integer.radix()).ok().filter(|uid| *uid <= UID_MAX);
        return number.and_then(|uid| u32::try_from(uid).ok()).ok_or(UidError::NotAUser);
    }
    let sound = |name: &&str| (1..=NAME_BYTES_MAX).contains(&name.len()) && name.bytes().all(|b| b.is_ascii_graphic());
    let name = value.as_str().filter(sound).ok_or(UidError::NotAUser)?;
    match User::from_name(name) {
        Ok(Some(user)) => Ok(user.uid.as_raw()),
        Ok(None) => Err(UidError::Unknown(name.to_owned())),
        Err(error) => Err(UidError::Io(name.to_owned(), error)),
    }
}
