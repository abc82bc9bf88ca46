use super::*;

#[test]
fn ipv6_networks_are_owed_until_the_fence_has_them() {
    let mut feeds = Feeds::new();
    let wide = vec![("2001:db8::/32".parse().unwrap(), Judged::Deny)];
    feeds.place(Arc::default(), wide.clone());
    assert!(feeds.owed);
    feeds.place(Arc::default(), wide.clone());
    assert!(feeds.owed, "the fence was not given them meanwhile");
    feeds.keep(&Config::default());
    assert!(!feeds.owed, "it has them with its configuration");
    feeds.place(Arc::default(), wide);
    assert!(!feeds.owed, "nothing changed");
}
