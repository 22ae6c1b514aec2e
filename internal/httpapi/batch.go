package httpapi

import (
	"bytes"
	"encoding/json"
	"errors"

	"github.com/valyala/fasthttp"

	"github.com/fondue-server/fondue/internal/command"
)

// batch answers /v1/batch. All of it is decoded before any of it is done.
func (a *API) batch(r *request) error {
	if err := r.readBatch(); err != nil {
		return err
	}
	operations, err := decodeBatch(r.ctx.Request.Body())
	if err != nil {
		return err
	}
	b := append(r.body, `{"results":[`...)
	evicted, i := 0, 0
	a.commands.Batch(operations, func(result command.Result) {
		if i > 0 {
			b = append(b, ',')
		}
		b = a.appendResult(b, &operations[i], &result)
		evicted += result.Effect.Evicted
		i++
	})
	r.evicted = evicted
	return r.reply(append(b, "]}"...))
}

func (r *request) readBatch() error {
	if err := r.parseQuery(0); err != nil {
		return err
	}
	if err := r.refuseConditions(); err != nil {
		return err
	}
	return r.checkMedia(isJSON)
}

// decodeBatch reads an array of operations.
func decodeBatch(text []byte) ([]command.Operation, error) {
	if err := command.CheckJSON(text); err != nil {
		return nil, err
	}
	d := json.NewDecoder(bytes.NewReader(text))
	if token, err := d.Token(); err != nil || token != json.Delim('[') {
		return nil, problemf(fasthttp.StatusUnprocessableEntity, "the body must be a JSON array of operations")
	}
	var operations []command.Operation
	for d.More() {
		if len(operations) == command.MaxBatch {
			return nil, problemf(fasthttp.StatusRequestEntityTooLarge,
				"a batch may have %d operations; none was done, send them in several requests", command.MaxBatch)
		}
		var one json.RawMessage
		if err := d.Decode(&one); err != nil {
			return nil, err
		}
		operation, err := decodeOperation(one)
		if err != nil {
			return nil, problemf(fasthttp.StatusUnprocessableEntity, "operation %d, counted from 0: %v; none was done", len(operations), err)
		}
		operations = append(operations, operation)
	}
	return operations, nil
}

// appendResult writes what came of an operation: its status and, if there are
// any, the value, the ETag and the time to live, or the title and the detail of
// a problem.
func (a *API) appendResult(dst []byte, o *command.Operation, result *command.Result) []byte {
	item := &result.Item
	switch err := orUnmet(result.Err, o.If); {
	case errors.Is(err, command.ErrUnchanged):
		return append(appendItem(appendStatus(dst, fasthttp.StatusNotModified), item), '}')
	case err != nil:
		p := a.problemOf(err)
		if p.status == fasthttp.StatusInsufficientStorage {
			a.commands.CountFull()
		}
		if p.status == fasthttp.StatusInternalServerError {
			a.fault(err)
		}
		dst = appendStatus(dst, p.status)
		dst = append(dst, `,"title":`...)
		dst = command.AppendString(dst, []byte(fasthttp.StatusMessage(p.status)))
		dst = append(dst, `,"detail":`...)
		dst = command.AppendString(dst, []byte(p.detail))
		return append(dst, '}')
	}
	status := fasthttp.StatusOK
	switch {
	case o.Op == command.OpRemove:
		status = fasthttp.StatusNoContent
	case o.Op == command.OpPut && result.Effect.Created:
		status = fasthttp.StatusCreated
	}
	dst = appendStatus(dst, status)
	switch o.Op {
	case command.OpGet, command.OpPatch, command.OpIncrement:
		dst = appendValue(append(dst, `,"value":`...), &item.Value)
	}
	return append(appendItem(dst, item), '}')
}

func appendStatus(dst []byte, status int) []byte {
	return appendInt(append(dst, `{"status":`...), int64(status))
}

// appendItem writes the version and the time to live of an item that has them.
func appendItem(dst []byte, item *command.Item) []byte {
	if item.Version != (command.Version{}) {
		dst = append(dst, `,"etag":"`...)
		dst = item.Version.Append(dst)
		dst = append(dst, '"')
	}
	if item.TTL > 0 {
		dst = append(dst, `,"ttl":`...)
		dst = command.AppendSeconds(dst, item.TTL)
	}
	return dst
}
