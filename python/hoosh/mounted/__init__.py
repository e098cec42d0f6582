"""ASGI applications of the operator, served below paths of the gateway: `[[server.mounts]]`.

`Mounts` loads them, has them live, and starts them again when they end. Behind the native edge their requests come over a
private Unix socket (`behind`); where hypercorn or a host's server has the public port, in this process (`beside`). Who may
ask is the core's to say both times, and `Talk` is both times what is between an application and its server.
"""

from hoosh.mounted.mounts import Mounts

__all__ = ["Mounts"]
