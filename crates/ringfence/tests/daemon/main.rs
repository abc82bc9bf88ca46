//! The daemon and the fence that it leaves standing, in namespaces. Needs root; without it each test says so and ends.

mod hostile;
mod life;
mod place;
mod silence;
mod trial;
mod trust;
mod upgrade;
