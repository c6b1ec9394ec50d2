// Word-level operators on W-bit two's complement integers.

module adder #(parameter int W = 16) (
    input  logic signed [W-1:0] a,
    input  logic signed [W-1:0] b,
    output logic signed [W-1:0] y
);
  assign y = a + b;
endmodule

// Adds x to the sum, or starts it anew.
module accumulator #(parameter int W = 16) (
    input  logic         clk,
    input  logic         enable,
    input  logic         first,
    input  logic [W-1:0] x,
    output logic [W-1:0] sum
);
  always_ff @(posedge clk) if (enable) sum <= (first ? '0 : sum) + x;
endmodule

// The whole product.
module multiplier #(parameter int A = 16, parameter int B = 16) (
    input  logic signed [A-1:0]   a,
    input  logic signed [B-1:0]   b,
    output logic signed [A+B-1:0] y
);
  assign y = a * b;
endmodule

// An adder where the weight is +1 (w = 1), a subtractor where it is -1.
module add_or_subtract #(parameter int W = 16) (
    input  logic signed [W-1:0] sum,
    input  logic signed [W-1:0] x,
    input  logic                w,
    output logic signed [W-1:0] y
);
  assign y = sum + (x ^ {W{~w}}) + W'(!w);
endmodule

// The sum of N values of W bits.
module adder_tree #(
    parameter int N = 8,
    parameter int W = 8,
    localparam int S = W + $clog2(N)
) (
    input  logic [N*W-1:0]      x,
    output logic signed [S-1:0] y
);
  always_comb begin
    y = '0;
    for (int i = 0; i < N; i++) y += S'($signed(x[i*W+:W]));
  end
endmodule

// A batch normalisation in fixed point: x times a scale with F fraction bits, plus a bias.
module scale_bias #(parameter int W = 16, parameter int F = 8) (
    input  logic signed [W-1:0] x,
    input  logic signed [W-1:0] scale,
    input  logic signed [W-1:0] bias,
    output logic signed [W-1:0] y
);
  logic signed [2*W-1:0] product;
  assign product = x * scale;
  assign y = W'((product + (2 * W)'(1 << (F - 1))) >>> F) + bias;
endmodule
