// Units of networks with wide values between their binary layers. A pixel is FOLDS words of PE values, first channels in
// the first word and in its lowest bits; constants per channel are indexed by the fold.

// The windows of a convolution with K x K taps, stride S and P zeros around an image of ROWS x COLS words.
//
// Words are kept in a ring of B rows, so that the next rows, and the first of the next image, fill it while windows are
// read: K * K words a window, row by row of its taps. The last window has to reach the last row.
module padded_window #(
    parameter int W = 16,
    parameter int ROWS = 8,
    parameter int COLS = 8,
    parameter int K = 3,
    parameter int S = 1,
    parameter int P = 1,
    parameter int B = K + S
) (
    input  logic         clk,
    input  logic         rst,
    input  logic [W-1:0] in_data,
    input  logic         in_valid,
    output logic         in_ready,
    output logic [W-1:0] out_data,
    output logic         out_valid,
    input  logic         out_ready
);
  localparam int OR = (ROWS + 2 * P - K) / S + 1, OC = (COLS + 2 * P - K) / S + 1;
  localparam int BB = $clog2(B + 1), CB = $clog2(COLS);
  localparam int N = $clog2(ROWS + COLS + 2 * P + K + B) + 2;  // holds every sum below, with a sign

  logic [BB-1:0] held, base, fill, block;  // whole rows that are kept, the first of them, the one that is filled
  logic [CB-1:0] column;
  logic [N-1:0] y, x, ky, kx;  // first row and column of the window, P more than in the image; tap
  logic signed [N-1:0] row, col, low, low_next, high, released, ring;
  logic take, complete, next, outside, zero, last_tap, last_column, last_row;
  logic [W-1:0] word;

  assign in_ready = held < B;
  assign take = in_valid && in_ready;
  assign complete = take && column == COLS - 1;
  assign row = $signed(y + ky) - P;
  assign col = $signed(x + kx) - P;
  assign low = y > P ? $signed(y) - P : '0;
  assign high = y + K > ROWS + P ? N'(ROWS) : N'(y + K - P);
  assign low_next = last_row ? N'(ROWS) : y + S > P ? N'(y + S - P) : '0;
  assign outside = row < 0 || row >= ROWS || col < 0 || col >= COLS;
  assign next = $signed(N'(held)) >= high - low && (!out_valid || out_ready);
  assign last_tap = ky == K - 1 && kx == K - 1;
  assign last_column = x == (OC - 1) * S;
  assign last_row = y == (OR - 1) * S;
  assign released = next && last_tap && last_column ? low_next - low : '0;
  assign ring = $signed(N'(base)) + row - low;
  assign block = BB'(ring >= B ? ring - B : ring);

  ram #(.W(W), .D(B << CB)) memory (
      .clk, .write(take), .write_at(($clog2(B << CB))'({fill, column})), .write_data(in_data),
      .read(next && !outside), .read_at(($clog2(B << CB))'({block, col[CB-1:0]})), .read_data(word));
  assign out_data = zero ? '0 : word;

  logic signed [N-1:0] moved;
  assign moved = $signed(N'(base)) + released;
  always_ff @(posedge clk) begin
    if (next) zero <= outside;
    if (rst) begin
      {held, base, fill, column, y, x, ky, kx} <= '0;
      out_valid <= 0;
    end else begin
      out_valid <= next || (out_valid && !out_ready);
      held <= BB'($signed(N'(held)) + $signed(N'(complete)) - released);
      base <= BB'(moved >= B ? moved - B : moved);
      if (take) column <= complete ? '0 : column + 1'b1;
      if (complete) fill <= fill == B - 1 ? '0 : fill + 1'b1;
      if (next) begin
        kx <= kx == K - 1 ? '0 : kx + 1'b1;
        if (kx == K - 1) ky <= ky == K - 1 ? '0 : ky + 1'b1;
        if (last_tap) x <= last_column ? '0 : x + S;
        if (last_tap && last_column) y <= last_row ? '0 : y + S;
      end
    end
  end
endmodule

// One stream to two units, each of which takes a word when it can.
module stream_fork #(parameter int W = 16) (
    input  logic         clk,
    input  logic         rst,
    input  logic [W-1:0] in_data,
    input  logic         in_valid,
    output logic         in_ready,
    output logic [W-1:0] a_data,
    output logic         a_valid,
    input  logic         a_ready,
    output logic [W-1:0] b_data,
    output logic         b_valid,
    input  logic         b_ready
);
  logic a_done, b_done;
  assign a_data = in_data;
  assign b_data = in_data;
  assign a_valid = in_valid && !a_done;
  assign b_valid = in_valid && !b_done;
  assign in_ready = (a_done || a_ready) && (b_done || b_ready);
  always_ff @(posedge clk)
    if (rst || (in_valid && in_ready)) {a_done, b_done} <= '0;
    else {a_done, b_done} <= {a_done || (a_valid && a_ready), b_done || (b_valid && b_ready)};
endmodule

// Which fold of channels a word is of.
module fold_counter #(parameter int FOLDS = 4, localparam int N = FOLDS > 1 ? $clog2(FOLDS) : 1) (
    input  logic         clk,
    input  logic         rst,
    input  logic         go,
    output logic [N-1:0] fold
);
  always_ff @(posedge clk)
    if (rst) fold <= '0;
    else if (go) fold <= fold == FOLDS - 1 ? '0 : fold + 1'b1;
endmodule

// One of N words of W bits that are known when the circuit is made, the first in the lowest bits of TABLE.
module constants #(
    parameter int W = 8,
    parameter int N = 4,
    parameter logic [N*W-1:0] TABLE = '0,
    localparam int A = N > 1 ? $clog2(N) : 1
) (
    input  logic [A-1:0] at,
    output logic [W-1:0] word
);
  for (genvar b = 0; b < W; b++) begin : each
    logic [(1<<A)-1:0] column;
    for (genvar n = 0; n < (1 << A); n++) begin : bits
      assign column[n] = TABLE[(n < N ? n : N - 1)*W+b];
    end
    assign word[b] = column[at];
  end
endmodule

// Popcounts of a matrix unit as sums of signs: twice the count, and a constant of its channel and of which taps were
// outside of the image there. PLACES holds the kind of every pixel, D bits each; CONSTANTS for every kind and fold, of
// which there is a power of two, PE words of S bits.
module count_to_sum #(
    parameter int PE = 4,
    parameter int FOLDS = 1,
    parameter int PIXELS = 1,
    parameter int KINDS = 1,
    parameter int D = 1,
    parameter int C = 8,
    parameter int S = 9,
    parameter logic [PIXELS*D-1:0] PLACES = '0,
    parameter logic [(KINDS<<$clog2(FOLDS))*PE*S-1:0] CONSTANTS = '0
) (
    input  logic            clk,
    input  logic            rst,
    input  logic [PE*C-1:0] in_data,
    input  logic            in_valid,
    output logic            in_ready,
    output logic [PE*S-1:0] out_data,
    output logic            out_valid,
    input  logic            out_ready
);
  localparam int FB = FOLDS > 1 ? $clog2(FOLDS) : 1, PB = PIXELS > 1 ? $clog2(PIXELS) : 1;
  logic [FB-1:0] fold;
  logic [PB-1:0] pixel;
  logic [D-1:0] kind;
  logic [PE*S-1:0] added;
  assign in_ready = !out_valid || out_ready;
  fold_counter #(.FOLDS(FOLDS)) channels (.clk, .rst, .go(in_valid && in_ready), .fold);
  fold_counter #(.FOLDS(PIXELS)) pixels (.clk, .rst, .go(in_valid && in_ready && fold == FOLDS - 1), .fold(pixel));
  constants #(.W(D), .N(PIXELS), .TABLE(PLACES)) places (.at(pixel), .word(kind));
  localparam int N = KINDS << $clog2(FOLDS);
  logic [D+FB-1:0] index;
  assign index = FOLDS > 1 ? {kind, fold} : kind;
  constants #(.W(PE * S), .N(N), .TABLE(CONSTANTS)) rows (.at(index[(N > 1 ? $clog2(N) : 1)-1:0]), .word(added));
  always_ff @(posedge clk) begin
    if (in_ready)
      for (int p = 0; p < PE; p++) out_data[p*S+:S] <= S'({in_data[p*C+:C], 1'b0}) + added[p*S+:S];
    if (rst) out_valid <= 0;
    else if (in_ready) out_valid <= in_valid;
  end
endmodule

// A multiplication by a power of two per channel: LEFT bits to the left, then 0 to 2^A - 1 to the right; with ROUND
// half up.
module shift_map #(
    parameter int PE = 4,
    parameter int FOLDS = 1,
    parameter int W = 12,
    parameter int LEFT = 0,
    parameter int A = 1,
    parameter int Y = 16,
    parameter bit ROUND = 0,
    parameter logic [FOLDS*PE*A-1:0] AMOUNTS = '0
) (
    input  logic            clk,
    input  logic            rst,
    input  logic [PE*W-1:0] in_data,
    input  logic            in_valid,
    output logic            in_ready,
    output logic [PE*Y-1:0] out_data,
    output logic            out_valid,
    input  logic            out_ready
);
  localparam int FB = FOLDS > 1 ? $clog2(FOLDS) : 1, V = W + LEFT + 1;
  logic [FB-1:0] fold;
  logic [PE*A-1:0] amounts;
  assign in_ready = !out_valid || out_ready;
  fold_counter #(.FOLDS(FOLDS)) channels (.clk, .rst, .go(in_valid && in_ready), .fold);
  constants #(.W(PE * A), .N(FOLDS), .TABLE(AMOUNTS)) rows (.at(fold), .word(amounts));
  for (genvar p = 0; p < PE; p++) begin : lane
    logic signed [V-1:0] wide, shifted;  // with one bit behind the point, the carry of a rounded shift
    assign wide = V'($signed({in_data[p*W+:W], 1'b0})) <<< LEFT;
    shift_channel #(.W(V), .A(A)) shift (.x(wide), .amount(amounts[p*A+:A]), .y(shifted));
    always_ff @(posedge clk)
      if (in_ready) out_data[p*Y+:Y] <= Y'($signed(shifted[V-1:1])) + Y'(ROUND && shifted[0]);
  end
  always_ff @(posedge clk)
    if (rst) out_valid <= 0;
    else if (in_ready) out_valid <= in_valid;
endmodule

// A constant per channel is added.
module bias_map #(
    parameter int PE = 4,
    parameter int FOLDS = 1,
    parameter int W = 16,
    parameter int Y = 16,
    parameter logic [FOLDS*PE*Y-1:0] BIAS = '0
) (
    input  logic            clk,
    input  logic            rst,
    input  logic [PE*W-1:0] in_data,
    input  logic            in_valid,
    output logic            in_ready,
    output logic [PE*Y-1:0] out_data,
    output logic            out_valid,
    input  logic            out_ready
);
  localparam int FB = FOLDS > 1 ? $clog2(FOLDS) : 1;
  logic [FB-1:0] fold;
  logic [PE*Y-1:0] bias;
  assign in_ready = !out_valid || out_ready;
  fold_counter #(.FOLDS(FOLDS)) channels (.clk, .rst, .go(in_valid && in_ready), .fold);
  constants #(.W(PE * Y), .N(FOLDS), .TABLE(BIAS)) added (.at(fold), .word(bias));
  always_ff @(posedge clk) begin
    if (in_ready)
      for (int p = 0; p < PE; p++) out_data[p*Y+:Y] <= Y'($signed(in_data[p*W+:W])) + $signed(bias[p*Y+:Y]);
    if (rst) out_valid <= 0;
    else if (in_ready) out_valid <= in_valid;
  end
endmodule

// Rectifier whose negative slope is 2^-amount of its channel, and a constant added to the result: the bit that falls off
// last is the carry of that adder, which rounds half up.
module qprelu_map #(
    parameter int PE = 4,
    parameter int FOLDS = 1,
    parameter int W = 16,
    parameter int A = 2,
    parameter int Y = 16,
    parameter logic [FOLDS*PE*A-1:0] AMOUNTS = '0,
    parameter logic [FOLDS*PE*Y-1:0] BIAS = '0
) (
    input  logic            clk,
    input  logic            rst,
    input  logic [PE*W-1:0] in_data,
    input  logic            in_valid,
    output logic            in_ready,
    output logic [PE*Y-1:0] out_data,
    output logic            out_valid,
    input  logic            out_ready
);
  localparam int FB = FOLDS > 1 ? $clog2(FOLDS) : 1;
  logic [FB-1:0] fold;
  logic [PE*A-1:0] amounts;
  logic [PE*Y-1:0] bias;
  assign in_ready = !out_valid || out_ready;
  fold_counter #(.FOLDS(FOLDS)) channels (.clk, .rst, .go(in_valid && in_ready), .fold);
  constants #(.W(PE * A), .N(FOLDS), .TABLE(AMOUNTS)) rows (.at(fold), .word(amounts));
  constants #(.W(PE * Y), .N(FOLDS), .TABLE(BIAS)) added (.at(fold), .word(bias));
  for (genvar p = 0; p < PE; p++) begin : lane
    logic signed [W:0] bent;
    logic signed [W-1:0] whole;
    qprelu_channel #(.W(W + 1), .A(A)) bend (.x({in_data[p*W+:W], 1'b0}), .amount(amounts[p*A+:A]), .y(bent));
    assign whole = bent[W:1];
    always_ff @(posedge clk)
      if (in_ready) out_data[p*Y+:Y] <= Y'(whole) + $signed(bias[p*Y+:Y]) + $signed({1'b0, bent[0]});
  end
  always_ff @(posedge clk)
    if (rst) out_valid <= 0;
    else if (in_ready) out_valid <= in_valid;
endmodule

// Values to signs by a limit per channel, of V bits.
module threshold_map #(
    parameter int PE = 4,
    parameter int FOLDS = 1,
    parameter int W = 16,
    parameter int V = 16,
    parameter logic [FOLDS*PE*V-1:0] LIMITS = '0
) (
    input  logic            clk,
    input  logic            rst,
    input  logic [PE*W-1:0] in_data,
    input  logic            in_valid,
    output logic            in_ready,
    output logic [PE-1:0]   out_data,
    output logic            out_valid,
    input  logic            out_ready
);
  localparam int FB = FOLDS > 1 ? $clog2(FOLDS) : 1;
  logic [FB-1:0] fold;
  logic [PE*V-1:0] limits;
  logic [PE-1:0] reached;
  assign in_ready = !out_valid || out_ready;
  fold_counter #(.FOLDS(FOLDS)) channels (.clk, .rst, .go(in_valid && in_ready), .fold);
  constants #(.W(PE * V), .N(FOLDS), .TABLE(LIMITS)) rows (.at(fold), .word(limits));
  for (genvar p = 0; p < PE; p++) begin : lane
    comparator #(.W(V)) compare (.x(V'($signed(in_data[p*W+:W]))), .limit(limits[p*V+:V]), .y(reached[p]));
  end
  always_ff @(posedge clk) begin
    if (in_ready) out_data <= reached;
    if (rst) out_valid <= 0;
    else if (in_ready) out_valid <= in_valid;
  end
endmodule

// The sum of two streams.
module add_streams #(parameter int PE = 4, parameter int A = 12, parameter int B = 16, parameter int Y = 16) (
    input  logic            clk,
    input  logic            rst,
    input  logic [PE*A-1:0] a_data,
    input  logic            a_valid,
    output logic            a_ready,
    input  logic [PE*B-1:0] b_data,
    input  logic            b_valid,
    output logic            b_ready,
    output logic [PE*Y-1:0] out_data,
    output logic            out_valid,
    input  logic            out_ready
);
  logic step;
  assign step = !out_valid || out_ready;
  assign a_ready = step && b_valid;
  assign b_ready = step && a_valid;
  always_ff @(posedge clk) begin
    if (step)
      for (int p = 0; p < PE; p++) out_data[p*Y+:Y] <= Y'($signed(a_data[p*A+:A])) + Y'($signed(b_data[p*B+:B]));
    if (rst) out_valid <= 0;
    else if (step) out_valid <= a_valid && b_valid;
  end
endmodule

// Sums of K x K pixels that do not overlap, in an image of ROWS x COLS pixels.
module sum_pool #(
    parameter int PE = 4,
    parameter int FOLDS = 1,
    parameter int W = 16,
    parameter int ROWS = 4,
    parameter int COLS = 4,
    parameter int K = 2,
    parameter int Y = 18
) (
    input  logic            clk,
    input  logic            rst,
    input  logic [PE*W-1:0] in_data,
    input  logic            in_valid,
    output logic            in_ready,
    output logic [PE*Y-1:0] out_data,
    output logic            out_valid,
    input  logic            out_ready
);
  localparam int D = COLS / K * FOLDS, DB = D > 1 ? $clog2(D) : 1;
  localparam int FB = FOLDS > 1 ? $clog2(FOLDS) : 1, KB = $clog2(K), XB = COLS / K > 1 ? $clog2(COLS / K) : 1;
  logic [FB-1:0] fold;
  logic [KB-1:0] kx, ky;
  logic [XB-1:0] x;
  logic [DB-1:0] at;
  logic go, pixel, line;
  logic [PE*Y-1:0] kept[D];
  logic [PE*Y-1:0] before, sum;
  assign in_ready = !out_valid || out_ready;
  assign go = in_valid && in_ready;
  assign pixel = go && fold == FOLDS - 1;
  assign line = pixel && kx == K - 1 && x == COLS / K - 1;
  fold_counter #(.FOLDS(FOLDS)) channels (.clk, .rst, .go, .fold);
  fold_counter #(.FOLDS(K)) columns (.clk, .rst, .go(pixel), .fold(kx));
  fold_counter #(.FOLDS(COLS / K)) places (.clk, .rst, .go(pixel && kx == K - 1), .fold(x));
  fold_counter #(.FOLDS(K)) lines (.clk, .rst, .go(line), .fold(ky));
  assign at = DB'(x * FOLDS + fold);
  assign before = kx == 0 && ky == 0 ? '0 : kept[at];
  for (genvar p = 0; p < PE; p++) begin : lane
    assign sum[p*Y+:Y] = before[p*Y+:Y] + Y'($signed(in_data[p*W+:W]));
  end
  always_ff @(posedge clk) begin
    if (go) kept[at] <= sum;
    if (go) out_data <= sum;
    if (rst) out_valid <= 0;
    else if (in_ready) out_valid <= in_valid && kx == K - 1 && ky == K - 1;
  end
endmodule

// A layer of wide values as a matrix: MH rows of MW weights of B bits (B = 1: signs), PE rows and one column at a time,
// a bias for each row; of the sum, F bits are rounded off, half to even.
//
// WEIGHTS holds for every fold of rows and every column PE weights, BIAS for every fold of rows PE numbers of ACC bits.
module sum_unit #(
    parameter int MW = 9,
    parameter int MH = 16,
    parameter int PE = 4,
    parameter int X = 10,
    parameter int B = 10,
    parameter int ACC = 24,
    parameter int F = 8,
    parameter logic [MH*MW*B-1:0] WEIGHTS = '0,
    parameter logic [MH*ACC-1:0] BIAS = '0,
    localparam int Y = ACC - F
) (
    input  logic            clk,
    input  logic            rst,
    input  logic [X-1:0]    in_data,
    input  logic            in_valid,
    output logic            in_ready,
    output logic [PE*Y-1:0] out_data,
    output logic            out_valid,
    input  logic            out_ready
);
  localparam int NF = MH / PE, DEPTH = NF * MW;
  localparam int CB = MW > 1 ? $clog2(MW) : 1, NB = NF > 1 ? $clog2(NF) : 1;
  logic [CB-1:0] column;
  logic [NB-1:0] row, summed_row;
  logic [$clog2(DEPTH)-1:0] at;
  logic [X-1:0] kept[MW];
  logic [X-1:0] word, summed_word;
  logic [PE*B-1:0] weights;
  logic go, step, summing, first, last, done;

  assign step = !done || !out_valid || out_ready;
  assign in_ready = row == 0 && step;
  assign go = (row != 0 || in_valid) && step;
  assign word = row == 0 ? in_data : kept[column];

  if (DEPTH * PE * B > 1024) begin : rom
    (* rom_style = "block", ram_style = "block" *) logic [PE*B-1:0] memory[DEPTH];
    initial for (int i = 0; i < DEPTH; i++) memory[i] = WEIGHTS[i*PE*B+:PE*B];
    always_ff @(posedge clk) if (step) weights <= memory[at];
  end else begin : logics
    logic [PE*B-1:0] wanted;
    constants #(.W(PE * B), .N(DEPTH), .TABLE(WEIGHTS)) rows (.at, .word(wanted));
    always_ff @(posedge clk) if (step) weights <= wanted;
  end

  always_ff @(posedge clk) begin
    if (go && row == 0) kept[column] <= in_data;
    if (step) begin
      summed_word <= word;
      first <= column == 0;
      last <= column == MW - 1;
      summed_row <= row;
    end
    if (rst) begin
      {column, row, at} <= '0;
      {summing, done, out_valid} <= '0;
    end else begin
      if (step) begin
        summing <= go;
        done <= summing && last;
        if (go) begin
          at <= at == DEPTH - 1 ? '0 : at + 1'b1;
          column <= column == MW - 1 ? '0 : column + 1'b1;
          if (column == MW - 1) row <= row == NF - 1 ? '0 : row + 1'b1;
        end
      end
      out_valid <= done || (out_valid && !out_ready);
    end
  end

  logic [PE*ACC-1:0] bias;
  constants #(.W(PE * ACC), .N(NF), .TABLE(BIAS)) rows (.at(summed_row), .word(bias));
  for (genvar p = 0; p < PE; p++) begin : lane
    logic signed [ACC-1:0] sum, start, next;
    assign start = first ? bias[p*ACC+:ACC] : sum;
    if (B == 1) begin : signs
      add_or_subtract #(.W(ACC)) add (.sum(start), .x(ACC'($signed(summed_word))), .w(weights[p]), .y(next));
    end else begin : products
      logic signed [X+B-1:0] product;
      multiplier #(.A(X), .B(B)) multiply (.a(summed_word), .b(weights[p*B+:B]), .y(product));
      assign next = start + ACC'(product);
    end
    always_ff @(posedge clk) if (step && summing) sum <= next;
    if (F == 0) begin : whole
      always_ff @(posedge clk) if (done && (!out_valid || out_ready)) out_data[p*Y+:Y] <= sum;
    end else begin : rounded
      logic signed [ACC-1:0] nearest;
      assign nearest = sum + ACC'((1 << (F - 1)) - 1) + ACC'(sum[F]);
      always_ff @(posedge clk) if (done && (!out_valid || out_ready)) out_data[p*Y+:Y] <= nearest[ACC-1:F];
    end
  end
endmodule
