package command

import "github.com/fondue-server/fondue/internal/status"

// Status is how the server and the region do, of all processes together, without an
// earlier look to compare with.
func (c *Commands) Status() (status.Document, error) {
	sample, err := status.Take(c.region)
	if err != nil {
		return status.Document{}, err
	}
	document := status.Make(nil, sample)
	document.Region.Path = "" // of a descriptor that was passed on
	return document, nil
}
