"""What several tests need: servers, proxies, fakes."""
