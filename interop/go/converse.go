package main

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"sync"
	"time"

	"github.com/pkg/errors"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
)

// verb executes a command. It may give any number of answers before it ends.
type verb func(ctx context.Context, body []byte, answer func(proto.Message)) error

type verbs map[string]verb

type command struct {
	ID        int             `json:"id"`
	Verb      string          `json:"verb"`
	Body      json.RawMessage `json:"body"`
	Target    int             `json:"target"`
	TimeoutMs int             `json:"timeoutMs"`
}

type reply struct {
	ID    int             `json:"id"`
	Body  json.RawMessage `json:"body,omitempty"`
	Error *failure        `json:"error,omitempty"`
	End   bool            `json:"end,omitempty"`
}

type failure struct {
	Code    string            `json:"code"`
	Message string            `json:"message"`
	Reason  string            `json:"reason,omitempty"`
	Fields  map[string]string `json:"fields,omitempty"`
}

// conversation is the exchange over standard input and output. Commands run concurrently.
type conversation struct {
	understood verbs
	output     *json.Encoder
	mu         sync.Mutex
	running    map[int]context.CancelFunc
}

func converse(ctx context.Context, understood verbs, input io.Reader, output io.Writer) error {
	c := &conversation{understood: understood, output: json.NewEncoder(output), running: map[int]context.CancelFunc{}}
	c.say(reply{End: true})
	lines := bufio.NewScanner(input)
	lines.Buffer(nil, 4<<20)
	commands := make(chan command)
	go func() {
		defer close(commands)
		for lines.Scan() {
			var each command
			if err := json.Unmarshal(lines.Bytes(), &each); err != nil {
				c.say(reply{Error: failureOf(err)})
				continue
			}
			commands <- each
		}
	}()
	for {
		select {
		case <-ctx.Done():
			return nil
		case each, ok := <-commands:
			if !ok {
				return lines.Err()
			}
			c.begin(ctx, each)
		}
	}
}

func (c *conversation) begin(ctx context.Context, each command) {
	if each.Verb == "cancel" {
		c.mu.Lock()
		cancel := c.running[each.Target]
		c.mu.Unlock()
		if cancel != nil {
			cancel()
		}
		c.say(reply{ID: each.ID, End: true})
		return
	}
	do := c.understood[each.Verb]
	if do == nil {
		c.say(reply{ID: each.ID, Error: &failure{Code: codes.Unimplemented.String(), Message: "no such verb: " + each.Verb}})
		return
	}
	runCtx, cancel := context.WithCancel(ctx)
	if each.TimeoutMs > 0 {
		runCtx, cancel = context.WithTimeout(ctx, time.Duration(each.TimeoutMs)*time.Millisecond)
	}
	c.mu.Lock()
	c.running[each.ID] = cancel
	c.mu.Unlock()
	go func() {
		defer cancel()
		err := do(runCtx, each.Body, func(message proto.Message) {
			body, marshalErr := protojson.Marshal(message)
			if marshalErr != nil {
				c.say(reply{ID: each.ID, Error: failureOf(marshalErr)})
				return
			}
			c.say(reply{ID: each.ID, Body: body})
		})
		c.mu.Lock()
		delete(c.running, each.ID)
		c.mu.Unlock()
		if err != nil {
			c.say(reply{ID: each.ID, Error: failureOf(err)})
			return
		}
		c.say(reply{ID: each.ID, End: true})
	}()
}

func (c *conversation) say(r reply) {
	c.mu.Lock()
	defer c.mu.Unlock()
	_ = c.output.Encode(r)
}

// failureOf finds gRPC's status inside the SDK's wrapped errors.
func failureOf(err error) *failure {
	found := status.Convert(errors.Cause(err))
	failed := &failure{Code: found.Code().String(), Message: err.Error()}
	for _, detail := range found.Details() {
		if info, ok := detail.(*errdetails.ErrorInfo); ok {
			failed.Reason, failed.Fields = info.GetReason(), info.GetMetadata()
		}
	}
	return failed
}

// unary makes a verb of a function with one answer.
func unary[I, O proto.Message](empty func() I, do func(ctx context.Context, request I) (O, error)) verb {
	return func(ctx context.Context, body []byte, answer func(proto.Message)) error {
		request := empty()
		if err := protojson.Unmarshal(body, request); err != nil {
			return err
		}
		response, err := do(ctx, request)
		if err != nil {
			return err
		}
		answer(response)
		return nil
	}
}

// receiver is the near end of a stream.
type receiver[O proto.Message] interface {
	Recv() (O, error)
}

// stream makes a verb of a function with a stream of answers.
func stream[I, O proto.Message, S receiver[O]](empty func() I, open func(ctx context.Context, request I) (S, error)) verb {
	return func(ctx context.Context, body []byte, answer func(proto.Message)) error {
		request := empty()
		if err := protojson.Unmarshal(body, request); err != nil {
			return err
		}
		answers, err := open(ctx, request)
		if err != nil {
			return err
		}
		for {
			each, err := answers.Recv()
			if err != nil && (errors.Is(err, io.EOF) || ctx.Err() != nil) {
				return nil
			}
			if err != nil {
				return err
			}
			answer(each)
		}
	}
}
