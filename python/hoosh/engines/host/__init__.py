"""Engines in a process of their own: what is in it may crash, hang or eat memory, and the gateway goes on.

`frames` are what both ends write to each other, `words` what is said in them. `child` is the engine's end, `process` the
gateway's: it starts a child, hears it, also what it `printed`, and sees it end. `calls` are what is asked of it, and `hosted` makes an engine of all this.
Nothing that the child loads needs an event loop, or anything but the standard library.
"""
