"""Whatever can answer a request: the network, a test in memory, and transports around transports."""
