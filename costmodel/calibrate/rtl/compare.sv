// Comparisons of W-bit two's complement integers.

module comparator #(parameter int W = 16) (
    input  logic signed [W-1:0] x,
    input  logic signed [W-1:0] limit,
    output logic                y
);
  assign y = x >= limit;
endmodule

// A limit that is known when the circuit is made.
module threshold #(parameter int W = 16, parameter int LIMIT = 1) (
    input  logic signed [W-1:0] x,
    output logic                y
);
  assign y = x >= LIMIT;
endmodule

// A quantiser: how many of N limits in rising order are reached.
module threshold_bank #(
    parameter int W = 16,
    parameter int N = 3,
    localparam int S = $clog2(N + 1)
) (
    input  logic signed [W-1:0] x,
    input  logic [N*W-1:0]      limits,
    output logic [S-1:0]        level
);
  logic [N-1:0] reached;
  for (genvar n = 0; n < N; n++) begin : each
    comparator #(.W(W)) compare (.x, .limit(limits[n*W+:W]), .y(reached[n]));
  end
  popcount #(.N(N)) count (.x(reached), .y(level));
endmodule

module maximum #(parameter int W = 16) (
    input  logic signed [W-1:0] a,
    input  logic signed [W-1:0] b,
    output logic signed [W-1:0] y
);
  assign y = a >= b ? a : b;
endmodule
