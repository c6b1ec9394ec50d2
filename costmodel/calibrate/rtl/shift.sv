// Multiplications by powers of two, at three prices, and the rectifiers that need no multiplier.
//
// A right shift hands out the bit that falls off last: with it as carry of the next adder the result is rounded half up,
// as the deployed network is executed, and it costs nothing.

module shift_const #(parameter int W = 16, parameter int RIGHT = 1) (
    input  logic signed [W-1:0] x,
    output logic signed [W-1:0] y,
    output logic                carry
);
  assign y = x >>> RIGHT;
  assign carry = x[RIGHT-1];
endmodule

// One of 2^A amounts that the channels of a layer differ in: 0 to 2^A - 1 bits to the right.
module shift_channel #(parameter int W = 16, parameter int A = 2) (
    input  logic signed [W-1:0] x,
    input  logic [A-1:0]        amount,
    output logic signed [W-1:0] y
);
  assign y = x >>> amount;
endmodule

// Any amount: a barrel shifter.
module shift_var #(parameter int W = 16) (
    input  logic signed [W-1:0]   x,
    input  logic [$clog2(W)-1:0] amount,
    output logic signed [W-1:0]   y
);
  assign y = x >>> amount;
endmodule

// Rectifier whose negative slope is the constant 2^-K.
module qprelu #(parameter int W = 16, parameter int K = 3) (
    input  logic signed [W-1:0] x,
    output logic signed [W-1:0] y,
    output logic                carry
);
  assign y = x < 0 ? x >>> K : x;
  assign carry = x < 0 ? x[K-1] : 1'b0;
endmodule

// One of 2^A slopes that the channels of a layer differ in: 2^0 to 2^-(2^A - 1).
module qprelu_channel #(parameter int W = 16, parameter int A = 2) (
    input  logic signed [W-1:0] x,
    input  logic [A-1:0]        amount,
    output logic signed [W-1:0] y
);
  assign y = x < 0 ? x >>> amount : x;
endmodule

// Rectifier with a real negative slope of F fraction bits: a multiplier. ROUND adds half before the cut.
module prelu #(parameter int W = 16, parameter int F = 10, parameter bit ROUND = 0) (
    input  logic signed [W-1:0] x,
    input  logic signed [W-1:0] slope,
    output logic signed [W-1:0] y
);
  logic signed [2*W-1:0] product;
  assign product = x * slope;
  if (ROUND) begin : rounded
    assign y = x < 0 ? W'((product + (2 * W)'(1 << (F - 1))) >>> F) : x;
  end else begin : cut
    assign y = x < 0 ? W'(product >>> F) : x;
  end
endmodule
