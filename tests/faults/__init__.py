"""What a streaming proxy meets, as a table in three columns: plain `hypercorn -k trio hoosh.asgi:app`, `hoosh serve`, and the same with
`--edge off`; and manners of the edge."""
