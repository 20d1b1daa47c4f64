"""How events travel from what caused them to every node's sockets."""
