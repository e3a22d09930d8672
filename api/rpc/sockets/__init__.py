"""tRPC over WebSockets: who may open one (`ws`), its calls (`socket`), texts (`messages`) and the way out (`line`)."""
