// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

// Package processcontrol is the collector extension process_control: it acts
// on exactly the process that is meant, and answers what is no metric. It
// listens on a Unix socket, and what it may do is in a policy file of the host.
//
// A request goes one way: wall.go refuses browsers and strangers, confighttp
// authenticates, server.go finds the endpoint, ref.go opens the process,
// package policy decides, audit.go writes down what is going to be done,
// action.go does it through the handle and audit.go writes what came of it.
package processcontrol
