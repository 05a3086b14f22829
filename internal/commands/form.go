package commands

// Form is a question with inputs, asked in a dialog of its own. Nothing waits
// on an open one: what it is about is the incident's, and is looked at anew
// when the answers come.
type Form struct {
	ID     string // action that the answers are for, as of a button
	Value  string // IDs that come back with the answers, as of a button
	Title  string
	Parts  []Part // what is asked, the gravest first; no Buttons
	Inputs []Input
	Submit string
}

// Input is one line to fill in, or one of several answers to choose.
type Input struct {
	ID      string
	Label   string
	Hint    string
	Value   string   // what stands there at first
	Options []Option // to choose from; none: anything may be written
}

// Option is one answer to choose. Note is small print below its label.
type Option struct{ Value, Label, Note string }
