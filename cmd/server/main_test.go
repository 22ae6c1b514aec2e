package main

import (
	"testing"

	"github.com/fondue-server/fondue/internal/e2e"
)

func TestMain(m *testing.M) { e2e.Main(m) }
