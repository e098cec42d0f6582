// The official SDKs for Go, through the port: `go run . CASE URL`. Says what the upstream must have seen.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
)

const (
	question = "How is the weather in Oslo?"
	text     = "It is sunny in Oslo."
	model    = "scripted"
	result   = "sunny in Oslo"
)

// What a case's upstream must have been asked (looked.py).
type seen struct {
	Asked    int    `json:"asked"`
	Result   string `json:"result,omitempty"`
	Streamed bool   `json:"streamed"`
}

var ctx = context.Background()

var cases = map[string]func(url string){
	"openai_chat_stream":      openaiChatStream,
	"openai_responses_stream": openaiResponsesStream,
	"anthropic_stream":        anthropicStream,
}

func main() {
	name, url := os.Args[1], os.Args[2]
	cases[name](url)
	said, err := json.Marshal(seen{Asked: 2, Result: result, Streamed: true})
	must(err)
	fmt.Println("\n" + string(said))
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}

func same(given, wanted string) {
	if given != wanted {
		panic(fmt.Sprintf("%q instead of %q", given, wanted))
	}
}

// The city that a call's arguments name.
func city(arguments string) string {
	var given struct{ City string }
	must(json.Unmarshal([]byte(arguments), &given))
	return given.City
}
