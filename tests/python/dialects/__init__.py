"""Every caller's dialect against every upstream's, through the real port: what survives, and what is said of the rest.

`ask` and `reply` are a request and an answer without their dialect; a file for each dialect writes the one and reads the
other as its official SDK does; `world` is a gateway in a process of its own before an upstream that is as strict as the
providers; `scenarios` is the table of what is asked; `matrix` writes down what was observed.
"""
